import type { Clock } from '../clock.ts'
import { Pace } from '../pace.ts'
import type { Random } from '../random.ts'
import type { MailRequest } from './mail-request.ts'
import type { Relay } from './relay.ts'
import { type CircuitState, type Finding, RelayCircuit } from './relay-circuit.ts'
import type { FailedAttempt, Outcome, PreparedAttempt, SinkAttempt } from './sink.ts'

/** How long a request is put off at most for want of room, milliseconds. */
const queueMaxMs = 10_000
const queueMinMs = 20

/** What came of one try at a relay. */
export type LaneResult = 'failed' | 'unavailable' | 'lost' | Outcome['kind']

export interface LaneOptions {
  readonly clock: Clock
  readonly random: Random
  /** Tries at once: a few more than connections, so that none of these idles. */
  readonly capacity: number
  readonly onCircuit: (state: CircuitState) => void
  readonly onResult: (result: LaneResult) => void
}

/** The way to one relay: its circuit, and how much room it has. A relay that is slow fills its own lane and nobody else's. */
export class RelayLane {
  readonly circuit: RelayCircuit
  readonly #relay: Relay
  readonly #options: LaneOptions
  readonly #pace = new Pace()
  #inFlight = 0
  #share = 1
  /** Mean time a try takes its place, milliseconds. */
  #occupancyMs = 100
  /** When the place after those that were promised becomes free, monotonic milliseconds. */
  #promisedUntilMs = -Infinity

  constructor(relay: Relay, options: LaneOptions) {
    this.#relay = relay
    this.#options = options
    this.circuit = new RelayCircuit(options.clock, options.random, options.onCircuit)
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get capacity(): number {
    return this.#options.capacity
  }

  setShare(share: number): void {
    this.#share = share
  }

  /**
   * For a request that found it full: when to ask again, milliseconds from now. Those that are turned away come back one by one, as
   * fast as places become free and its rate allows.
   */
  turnAway(): number {
    const nowMs = this.#options.clock.monotonicMs()
    const eachMs = Math.max(this.#occupancyMs / this.capacity, 1000 / this.#perSecond)
    const soonestMs = nowMs + Math.max(queueMinMs, this.#pace.waitMs(nowMs, this.#perSecond))
    this.#promisedUntilMs = Math.max(soonestMs, this.#promisedUntilMs + eachMs)
    return Math.min(this.#promisedUntilMs - nowMs, queueMaxMs)
  }

  /** `closed` when its circuit lets nobody through. */
  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt | 'closed' | 'full'> {
    if (this.circuit.isPassable && !this.#hasRoom) return 'full'
    const report = this.circuit.begin()
    if (report === undefined) return 'closed'
    const leave = this.#enter()
    try {
      const result = await this.#relay.sink.prepare(attempt, signal)
      report(findingOf(result))
      if (result.kind === 'prepared') return this.#watched(result, leave)
      // Whom nobody has asked counts for nothing.
      if (!result.reached) this.#pace.takeBack(this.#perSecond)
      this.#options.onResult(result.unavailable ? 'unavailable' : 'failed')
      leave()
      return result
    } catch (error) {
      report('nothing')
      leave()
      throw error
    }
  }

  get #perSecond(): number {
    return this.#relay.perSecond * this.#share
  }

  get #hasRoom(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    return this.#inFlight < this.capacity && this.#pace.room(nowMs, this.#perSecond) > 0
  }

  #enter(): () => void {
    const { clock } = this.#options
    const enteredMs = clock.monotonicMs()
    this.#pace.begin(enteredMs, this.#perSecond)
    let isInside = true
    this.#inFlight += 1
    return () => {
      if (!isInside) return
      isInside = false
      this.#inFlight -= 1
      this.#occupancyMs += (clock.monotonicMs() - enteredMs - this.#occupancyMs) / 16
    }
  }

  /** Its place is taken until the relay has answered, or will never be asked to. */
  #watched(prepared: PreparedAttempt, leave: () => void): PreparedAttempt {
    let isPerformed = false
    const { onResult } = this.#options
    const untilLost = async (): Promise<void> => {
      await prepared.lost
      if (!isPerformed) onResult('lost')
      leave()
    }
    void untilLost()
    const perform = async (mayPerform: () => boolean): Promise<Outcome> => {
      isPerformed = true
      // Nothing may be awaited before this call: the deadline was checked for it.
      const outcome = await prepared.perform(mayPerform).finally(leave)
      onResult(outcome.kind)
      return outcome
    }
    const abandon = (): void => {
      prepared.abandon()
      if (!isPerformed) leave()
    }
    return { ...prepared, perform, abandon }
  }
}

/** What ends before MAIL without a complaint (stopped, a mail that cannot be composed) may have met nobody. */
function findingOf(result: PreparedAttempt | FailedAttempt): Finding {
  if (result.kind === 'prepared') return 'answered'
  if (result.unavailable) return 'unavailable'
  return result.reached ? 'answered' : 'nothing'
}
