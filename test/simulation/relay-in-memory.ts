import { sleep } from '../../src/clock.ts'
import type { Random } from '../../src/random.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
} from '../../src/sinks/sink.ts'
import type { SimulatedProcess } from '../../src/testing/simulated-process.ts'

/** Shares of all tries, 0 to 1. */
export interface RelayRates {
  readonly unreachable: number
  readonly deferred: number
  /** The relay took it, and the connection died before its answer was read. */
  readonly lostReply: number
  /** The connection died and the relay did not take it. */
  readonly lostDot: number
}

/** What stands on the other side for all processes: it counts what it has taken. */
export class RelayInMemory {
  readonly taken = new Map<string, number>()
  rates: RelayRates = { unreachable: 0, deferred: 0, lostReply: 0, lostDot: 0 }
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  draw(share: number): boolean {
    return this.#random.next() < share
  }

  latencyMs(): number {
    return this.#random.next() * 20
  }

  take(request: string): void {
    this.taken.set(request, (this.taken.get(request) ?? 0) + 1)
  }
}

const failed = (reply: string, unavailable: boolean, deferred: string[]): FailedAttempt => ({
  kind: 'failed',
  reached: !unavailable,
  refused: [],
  deferred: deferred.map(target => ({ target, reply })),
  unavailable,
  reply,
  messageId: '',
  relay: 'memory',
})

/** One process's way to the relay: a dot that is on its way arrives whether the process lives or not. */
export function sinkOf(
  relay: RelayInMemory,
  process: SimulatedProcess,
  worldSleep: (ms: number) => Promise<void>,
): Sink<string> {
  return {
    concurrencyMax: 5,
    async prepare(attempt: SinkAttempt<string>, signal: AbortSignal) {
      await sleep(process.clock, relay.latencyMs(), signal)
      if (signal.aborted || relay.draw(relay.rates.unreachable))
        return failed('nobody there', true, [])
      if (relay.draw(relay.rates.deferred)) return failed('451 later', false, [...attempt.targets])
      let over = false
      const prepared: PreparedAttempt = {
        kind: 'prepared',
        accepted: attempt.targets,
        refused: [],
        deferred: [],
        messageId: attempt.identity,
        contentHash: '',
        relay: 'memory',
        lost: new Promise(() => undefined),
        abandon: () => void (over = true),
        perform: async (mayPerform): Promise<Outcome> => {
          if (over || !mayPerform()) return { kind: 'abandoned', reply: 'too late' }
          const lostDot = relay.draw(relay.rates.lostDot)
          const lostReply = relay.draw(relay.rates.lostReply)
          const latencyMs = relay.latencyMs()
          void worldSleep(latencyMs).then(() => !lostDot && relay.take(attempt.request))
          await sleep(process.clock, latencyMs * 2 + 1)
          return lostDot || lostReply
            ? { kind: 'unknown', reply: 'closed' }
            : { kind: 'done', reply: '250 ok' }
        },
      }
      return prepared
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
