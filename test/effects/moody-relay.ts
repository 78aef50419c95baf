import { type Clock, sleep } from '../../src/clock.ts'
import type { Random } from '../../src/random.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
} from '../../src/sinks/sink.ts'

/** A relay that does by chance whatever relays do, until it is `calm`. */
export class MoodyRelay implements Sink<MailRequest> {
  readonly address: string
  readonly concurrencyMax: number
  isCalm = false
  readonly #clock: Clock
  readonly #random: Random

  constructor(address: string, concurrencyMax: number, clock: Clock, random: Random) {
    this.address = address
    this.concurrencyMax = concurrencyMax
    this.#clock = clock
    this.#random = random
  }

  async prepare(
    { targets }: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    await sleep(this.#clock, this.#oneOf([20, 50, 500, 5000]), signal)
    if (signal.aborted) return this.#failed({ reached: false })
    const chance = this.#chance()
    const asksForLess = 'certain'
    if (chance < 0.1) return this.#failed({ unavailable: true, asksForLess })
    if (chance < 0.15) return this.#failed({ unavailable: true, reached: false })
    if (chance < 0.2) return this.#failed({ asksForLess })
    if (chance < 0.25) return this.#failed({ reached: false })
    const deferred = targets.map(target => ({ target, reply: '450 later', asksForLess }) as const)
    return chance < 0.3 ? this.#failed({ deferred }) : this.#prepared(targets)
  }

  #prepared(targets: readonly string[]): PreparedAttempt {
    let isLost = false
    const breaks = this.#chance() < 0.15
    const lost = new Promise<string>(resolve => {
      if (breaks)
        this.#clock.schedule(this.#oneOf([20, 100, 300]), () => {
          isLost = true
          resolve('connection reset')
        })
    })
    return {
      kind: 'prepared',
      accepted: targets,
      refused: [],
      deferred: [],
      messageId: '',
      contentHash: '',
      relay: this.address,
      lost,
      abandon: () => undefined,
      perform: async mayPerform => {
        if (!mayPerform() || isLost) return { kind: 'abandoned', reply: '' }
        return this.#answer()
      },
    }
  }

  async #answer(): Promise<Outcome> {
    await sleep(this.#clock, this.#oneOf([20, 100, 3000, 20_000, 600_000]))
    const chance = this.#chance()
    const deferred = { kind: 'deferred', reply: '451 not now' } as const
    if (chance < 0.05) return { ...deferred, unavailable: true, asksForLess: 'certain' }
    if (chance < 0.15) return { ...deferred, asksForLess: 'likely' }
    return chance < 0.2 ? { kind: 'unknown', reply: 'closed' } : { kind: 'done', reply: '250 ok' }
  }

  #failed(failure: Partial<FailedAttempt>): FailedAttempt {
    return {
      kind: 'failed',
      reached: true,
      refused: [],
      deferred: [],
      unavailable: false,
      reply: 'no',
      messageId: '',
      relay: this.address,
      ...failure,
    }
  }

  #chance(): number {
    return this.isCalm ? 1 : this.#random.next()
  }

  /** The first when calm. */
  #oneOf(values: readonly number[]): number {
    return values[this.isCalm ? 0 : Math.floor(this.#random.next() * values.length)]!
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
