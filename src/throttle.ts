/** However often it is halved, something is tried: only so it is learnt that more is welcome again. */
const perSecondMin = 0.1
/** A share that was halved once is whole again after a minute of successes. */
const recoverMs = 120_000
/** Between two successes at most so much counts as time without complaint, milliseconds. */
const patienceMs = 30_000

/**
 * How much less a party gets since it asked for less. Complaints halve the share, successes let it grow steadily by the time
 * they cover: fast to give way and slow to come back, as TCP does it and Postfix with its concurrency. Monotonic milliseconds.
 */
export class Throttle {
  /** What it took when it complained first. */
  readonly #perSecond: number
  readonly #connections: number
  /** A share beyond which the limits that were set are reached again; where there are none, twice of what it took. */
  readonly #whole: number
  #share = 1
  #changedMs = -Infinity
  #lowerMs = -Infinity

  constructor(before: { perSecond: number; connections: number }, limit: { perSecond: number }) {
    this.#perSecond = Math.max(before.perSecond, perSecondMin)
    this.#connections = Math.max(before.connections, 1)
    this.#whole = Math.min(2, Math.max(1, limit.perSecond / this.#perSecond))
  }

  /** Of what it took when it complained first. */
  get share(): number {
    return this.#share
  }

  get isOver(): boolean {
    return this.#share >= this.#whole
  }

  get perSecond(): number {
    return Math.max(perSecondMin, this.#perSecond * this.#share)
  }

  get connections(): number {
    return Math.max(1, Math.floor(this.#connections * this.#share))
  }

  /** A try that began then was asked for less. False when it began before the last decrease: it says nothing about that. */
  decrease(beganMs: number, nowMs: number): boolean {
    if (beganMs < this.#lowerMs) return false
    this.#lowerMs = nowMs
    this.#changedMs = nowMs
    if (this.#perSecond * this.#share > perSecondMin) this.#share /= 2
    return true
  }

  increase(beganMs: number, nowMs: number): void {
    if (beganMs < this.#lowerMs) return
    this.#share += Math.min(nowMs - this.#changedMs, patienceMs) / recoverMs
    this.#changedMs = nowMs
  }
}
