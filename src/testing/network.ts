import type { Clock } from '../clock.ts'
import type { StreamsError } from '../errors.ts'
import type { Random } from '../random.ts'
import type { FaultInjector, RequestName } from './fault-injector.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Story } from './story.ts'

/** What the broker says: a value, or an error of ours for what it refuses. */
export type Answer<T> =
  | { readonly status: 'answered'; readonly value: T }
  | { readonly status: 'refused'; readonly error: StreamsError }

/** What the client hears. `unavailable`: certainly not executed; `lost`: nobody knows. */
export type Reply<T> = Answer<T> | { readonly status: 'unavailable' } | { readonly status: 'lost' }

export interface Request<T> {
  readonly name: RequestName
  readonly target: string
  /** For the story; nothing is told of requests without it. */
  readonly detail?: string
  /** When the client gives up, milliseconds; null: it waits for as long as it takes. */
  readonly timeoutMs: number | null
  /** Runs on the broker, without interruption; it may keep `answer` and call it later. */
  readonly execute: (answer: (answer: Answer<T>) => void) => void
}

/**
 * Carries requests to the broker and replies back, each with a latency of its own. A request of a process that dies
 * may still be executed or not; its reply reaches nobody.
 */
export class Network {
  readonly clock: Clock
  readonly random: Random
  readonly faults: FaultInjector
  readonly story: Story

  constructor(clock: Clock, random: Random, faults: FaultInjector, story: Story) {
    this.clock = clock
    this.random = random
    this.faults = faults
    this.story = story
  }

  /** Milliseconds one way: mostly below 2, one in ten up to 30, so that any two requests overtake each other now and then. */
  latencyMs(): number {
    const longest = this.random.next() < 0.9 ? 2 : 30
    return this.random.next() * longest
  }

  /** Never rejects; never resolves for a process that is killed meanwhile. */
  send<T>(process: SimulatedProcess, request: Request<T>): Promise<Reply<T>> {
    const { clock, faults, random } = this
    const fate = faults.decide({ name: request.name, target: request.target, process: process.id })
    const slowMs = 'delayMs' in fate ? fate.delayMs : 0
    const label = `${request.name} ${request.target} ${request.detail ?? ''}`
    if (fate.kind !== 'delivered') this.story.tell(process.id, `${label}: ${fate.kind}`)

    return new Promise(resolve => {
      const { timeoutMs } = request
      const giveUp =
        timeoutMs === null ? undefined : clock.schedule(timeoutMs, () => settle({ status: 'lost' }))
      const settle = (reply: Reply<T>): void => {
        giveUp?.()
        process.deliver(() => resolve(reply))
      }
      const settleSoon = (reply: Reply<T>, extraMs = 0): void => {
        clock.schedule(this.latencyMs() + extraMs, () => settle(reply))
      }
      if (fate.kind === 'lost-request') {
        settleSoon({ status: 'lost' })
        return
      }
      clock.schedule(this.latencyMs() + (fate.kind === 'slow-request' ? slowMs : 0), () => {
        // Half of what a dead process had written never left its machine.
        if (!process.alive && random.next() < 0.5) return
        if (faults.unavailableForMs(request.target) > 0) {
          settleSoon({ status: 'unavailable' })
          return
        }
        if (request.detail !== undefined) this.story.tell(process.id, label)
        request.execute(answer => {
          if (fate.kind === 'lost-reply') settleSoon({ status: 'lost' })
          else settleSoon(answer, fate.kind === 'slow-reply' ? slowMs : 0)
        })
      })
    })
  }
}

/** The answer of a broker call that decides at once: what it returns, or the error of ours it throws. */
export function answered<T>(value: T): Answer<T> {
  return { status: 'answered', value }
}
