import { strict as assert } from 'node:assert'
import type { Cancel, Clock } from '../clock.ts'

interface Timer {
  readonly dueMs: number
  readonly sequence: number
  readonly callback: () => void
}

/**
 * A clock that stands still until it is told to move. Timers fire in the order of their time, then of their creation,
 * so a run that schedules the same things fires them in the same order. The wall clock follows the monotonic one,
 * and can be set apart from it.
 */
export class ManualClock implements Clock {
  #monotonicMs = 0
  #wallStartMs: number
  #sequence = 0
  /** Sorted, the next one last: taking it is a pop. */
  readonly #timers: Timer[] = []

  /** @param startMs Wall clock at the start, milliseconds since the epoch. */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallStartMs = startMs
  }

  nowMs(): number {
    return Math.floor(this.#wallStartMs + this.#monotonicMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    assert(delayMs >= 0, `a delay is not negative: ${delayMs}`)
    const timer = { dueMs: this.#monotonicMs + delayMs, sequence: this.#sequence++, callback }
    this.#timers.splice(this.#indexOf(timer), 0, timer)
    return () => {
      const index = this.#indexOf(timer)
      if (this.#timers[index] === timer) this.#timers.splice(index, 1)
    }
  }

  /** When the next timer is due on the monotonic clock; undefined when there is none. */
  get nextDueMs(): number | undefined {
    return this.#timers.at(-1)?.dueMs
  }

  /** Moves to the next timer and fires it alone; false when there is none. */
  fireNext(): boolean {
    const timer = this.#timers.pop()
    if (timer === undefined) return false
    this.#monotonicMs = Math.max(this.#monotonicMs, timer.dueMs)
    timer.callback()
    return true
  }

  /** Moves on by `durationMs` and fires what falls due on the way, also what these timers schedule themselves. */
  advance(durationMs: number): void {
    assert(durationMs >= 0, `time never goes back: ${durationMs}`)
    const endMs = this.#monotonicMs + durationMs
    while ((this.nextDueMs ?? Number.POSITIVE_INFINITY) <= endMs) this.fireNext()
    this.#monotonicMs = endMs
  }

  /** Sets the wall clock forward, or back with a negative number; the monotonic clock does not notice. */
  jumpWallClock(byMs: number): void {
    this.#wallStartMs += byMs
  }

  /** Where the timer stands or belongs: before it lie those that fire later. */
  #indexOf(timer: Timer): number {
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#timers[middle]
      assert(other !== undefined)
      const firesLater =
        other.dueMs > timer.dueMs ||
        (other.dueMs === timer.dueMs && other.sequence > timer.sequence)
      if (firesLater) low = middle + 1
      else high = middle
    }
    return low
  }
}
