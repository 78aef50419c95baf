import type { Cancel, Clock } from '../clock.ts'

/**
 * One deadline that moves with every step of a session. A timer for each step would be most of a step: here one is made only when none is
 * under way that fires early enough, and one that fires too early is made again for the rest.
 */
export class Deadline {
  readonly #clock: Clock
  #dueMs = Infinity
  #onDue: () => void = nothing
  #firesMs = Infinity
  #cancelTimer: Cancel = nothing

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** In place of the one before. */
  set(delayMs: number, onDue: () => void): void {
    this.#dueMs = this.#clock.monotonicMs() + delayMs
    this.#onDue = onDue
    if (this.#firesMs > this.#dueMs) this.#schedule(delayMs)
  }

  /** A timer that is under way is left to fire for nothing. */
  clear(): void {
    this.#dueMs = Infinity
    this.#onDue = nothing
  }

  /** No timer is left. */
  close(): void {
    this.clear()
    this.#cancelTimer()
    this.#firesMs = Infinity
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer()
    this.#firesMs = this.#dueMs
    this.#cancelTimer = this.#clock.schedule(delayMs, () => this.#fire())
  }

  #fire(): void {
    this.#firesMs = Infinity
    if (this.#dueMs === Infinity) return
    const leftMs = this.#dueMs - this.#clock.monotonicMs()
    if (leftMs > 0) return this.#schedule(leftMs)
    const onDue = this.#onDue
    this.clear()
    onDue()
  }
}

function nothing(): void {}
