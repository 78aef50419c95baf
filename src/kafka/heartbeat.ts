import { heartbeatV4 } from './wire-library.ts'
import type { Cancel, Clock } from '../clock.ts'
import type { GroupGeneration } from '../runtime/ports.ts'
import { classify, errorNamesOf, type Handling } from './classify.ts'
import type { Coordinator } from './coordinator.ts'

export interface HeartbeatOptions {
  readonly clock: Clock
  readonly intervalMs: number
  readonly sessionTimeoutMs: number
  readonly retryBackoffMs: number
}

/**
 * What the coordinator says: the group wants everybody to join again, it went on without us, or it refuses us for
 * good.
 */
export interface HeartbeatListener {
  rebalancing(): void
  lost(reason: string): void
  refused(error: unknown, handling: Handling): void
}

/**
 * Tells the coordinator that we live, for one generation. The session counts from the moment a heartbeat is sent that
 * is then answered: that moment is never later than the one from which the coordinator counts.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #coordinator: Coordinator
  readonly #generation: GroupGeneration
  readonly #listener: HeartbeatListener
  #intervalMs: number
  #isSending = false
  #stopped = false
  #answeredMs: number
  #cancelNext: Cancel = () => undefined
  #cancelSession: Cancel = () => undefined

  constructor(
    options: HeartbeatOptions,
    coordinator: Coordinator,
    generation: GroupGeneration,
    listener: HeartbeatListener,
  ) {
    this.#options = options
    this.#intervalMs = options.intervalMs
    this.#coordinator = coordinator
    this.#generation = generation
    this.#listener = listener
    this.#answeredMs = options.clock.monotonicMs()
    this.#watchSession()
    this.#scheduleNext(options.intervalMs)
  }

  stop(): void {
    this.#stopped = true
    this.#cancelNext()
    this.#cancelSession()
  }

  /** From now on at most this far apart, milliseconds. */
  hurry(intervalMs: number): void {
    if (this.#stopped || intervalMs >= this.#intervalMs) return
    this.#intervalMs = intervalMs
    // One that is under way schedules the next one itself.
    if (this.#isSending) return
    this.#cancelNext()
    this.#scheduleNext(intervalMs)
  }

  #scheduleNext(delayMs: number): void {
    this.#cancelNext = this.#options.clock.schedule(delayMs, () => void this.#beat())
  }

  #watchSession(): void {
    const { clock, sessionTimeoutMs } = this.#options
    const leftMs = this.#answeredMs + sessionTimeoutMs - clock.monotonicMs()
    this.#cancelSession = clock.schedule(Math.max(0, leftMs), () => {
      if (this.#stopped) return
      if (clock.monotonicMs() - this.#answeredMs < sessionTimeoutMs) return this.#watchSession()
      this.#end(() => this.#listener.lost('no heartbeat was answered within the session time-out'))
    })
  }

  async #beat(): Promise<void> {
    const { clock, retryBackoffMs } = this.#options
    const sentMs = clock.monotonicMs()
    this.#isSending = true
    const failure = await this.#send()
    this.#isSending = false
    if (this.#stopped) return
    const names = errorNamesOf(failure)
    const handling = failure === undefined ? undefined : classify(failure)
    if (handling === undefined) {
      this.#answeredMs = sentMs
      this.#scheduleNext(this.#intervalMs)
    } else if (names.includes('REBALANCE_IN_PROGRESS')) {
      this.#answeredMs = sentMs
      this.#scheduleNext(this.#intervalMs)
      this.#listener.rebalancing()
    } else if (handling === 'GROUP_FENCED') {
      this.#end(() => this.#listener.lost(names.join(', ')))
    } else if (handling === 'again' || handling === 'elsewhere' || handling === 'lost') {
      this.#coordinator.forget()
      this.#scheduleNext(Math.min(retryBackoffMs, this.#intervalMs))
    } else {
      this.#end(() => this.#listener.refused(failure, handling))
    }
  }

  /** The failure, if there was one. */
  async #send(): Promise<unknown> {
    const { groupId, generationId, memberId, groupInstanceId } = this.#generation
    try {
      const connection = await this.#coordinator.connection()
      await heartbeatV4.api.async(connection, groupId, generationId, memberId, groupInstanceId)
      return undefined
    } catch (error) {
      return error
    }
  }

  #end(tell: () => void): void {
    this.stop()
    tell()
  }
}
