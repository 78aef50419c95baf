import { sleep } from '../../../src/clock.ts'
import type { Random } from '../../../src/random.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
} from '../../../src/sinks/sink.ts'
import type { WebhookRequest } from '../../../src/sinks/webhook-request.ts'
import type { SimulatedProcess } from '../../../src/testing/simulated-process.ts'
import type { Reached } from './reached.ts'

type Answer = '204' | '500' | '410' | 'silence'

/** Whoever receives webhooks, for all machines: it answers what it likes and remembers what it has taken. */
export class WebhookReceiver {
  /** Bodies that it said 204 to, by event id. */
  readonly taken = new Map<string, string[]>()
  /** Every body that came, by event id. */
  readonly seen = new Map<string, Set<string>>()
  /** Shares of all tries, 0 to 1. */
  rates: Readonly<Partial<Record<'unreachable' | 'silence' | '500' | '410', number>>> = {}
  readonly #random: Random
  readonly #reached: Reached
  readonly #schedule: (delayMs: number, callback: () => void) => void

  constructor(
    random: Random,
    reached: Reached,
    schedule: (delayMs: number, callback: () => void) => void,
  ) {
    this.#random = random
    this.#reached = reached
    this.#schedule = schedule
  }

  /** One process's way to it, with the meaning that `WebhookSink` gives to each answer. */
  sinkOf(process: SimulatedProcess): Sink<WebhookRequest> {
    return {
      concurrencyMax: 4,
      prepare: (attempt, signal) => this.#prepare(process, attempt, signal),
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  }

  async #prepare(
    process: SimulatedProcess,
    { request, targets }: SinkAttempt<WebhookRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    await sleep(process.clock, this.#random.next() * 5, signal)
    const common = { refused: [], messageId: request.eventId, relay: 'receiver' }
    const failed = { ...common, kind: 'failed', reached: false, unavailable: false } as const
    if (signal.aborted) return { ...failed, deferred: [], reply: 'stopped' }
    if (this.#draw('unreachable')) {
      const deferred = targets.map(target => ({ target, reply: 'nobody there' }))
      return { ...failed, deferred, reply: 'nobody there' }
    }
    return {
      ...common,
      kind: 'prepared',
      accepted: targets,
      deferred: [],
      contentHash: '',
      lost: new Promise<string>(() => undefined),
      abandon: () => undefined,
      perform: mayPerform =>
        mayPerform()
          ? this.#perform(process, request)
          : Promise.resolve({ kind: 'abandoned', reply: 'not performed' }),
    }
  }

  /** The request leaves at once; half of what a dead process had written never left its machine. */
  #perform(process: SimulatedProcess, request: WebhookRequest): Promise<Outcome> {
    return new Promise(resolve => {
      const hear = (answer: Answer): void => process.deliver(() => resolve(outcomes[answer]))
      this.#schedule(this.#random.next() * 5, () => {
        if (!process.alive && this.#random.next() < 0.5) return
        const answer = this.#receive(request)
        this.#schedule(answer === 'silence' ? 15_000 : this.#random.next() * 5, () => hear(answer))
      })
    })
  }

  #receive({ eventId, body }: WebhookRequest): Answer {
    this.seen.set(eventId, (this.seen.get(eventId) ?? new Set()).add(body))
    if (this.#draw('500')) return '500'
    if (this.#draw('410')) return '410'
    this.taken.set(eventId, [...(this.taken.get(eventId) ?? []), body])
    return this.#draw('silence') ? 'silence' : '204'
  }

  #draw(trouble: keyof typeof this.rates): boolean {
    if (this.#random.next() >= (this.rates[trouble] ?? 0)) return false
    this.#reached.note(`webhook ${trouble}`)
    return true
  }
}

const outcomes: Readonly<Record<Answer, Outcome>> = {
  '204': { kind: 'done', reply: 'HTTP 204' },
  '500': { kind: 'deferred', reply: 'HTTP 500' },
  '410': { kind: 'refused', reply: 'HTTP 410' },
  silence: { kind: 'deferred', reply: 'no answer within 15 s' },
}
