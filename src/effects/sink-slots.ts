import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

const backoffMinMs = 500
const backoffMaxMs = 30_000

/**
 * What all tasks of an instance share of one sink: how many tries may be under way, and a circuit. While the other side as
 * a whole is out of reach the circuit is open and nobody tries; after a back-off that doubles one try is let through,
 * and its fate decides. Requests wait in their stores meanwhile, and no retry of theirs is used up.
 */
export class SinkSlots {
  readonly #max: number
  readonly #clock: Clock
  readonly #random: Random
  readonly #listeners = new Set<() => void>()
  #used = 0
  #failures = 0
  #openUntilMs = -Infinity
  #probing = false

  constructor(max: number, clock: Clock, random: Random) {
    this.#max = max
    this.#clock = clock
    this.#random = random
  }

  get used(): number {
    return this.#used
  }

  get isOpen(): boolean {
    return this.#failures > 0
  }

  tryAcquire(): boolean {
    if (this.#used >= this.#max) return false
    if (this.#failures > 0) {
      if (this.#probing || this.#clock.monotonicMs() < this.#openUntilMs) return false
      this.#probing = true
    }
    this.#used += 1
    return true
  }

  release(): void {
    this.#used -= 1
    for (const listener of this.#listeners) listener()
  }

  /** The other side answered something: it is there. */
  reached(): void {
    this.#failures = 0
    this.#probing = false
    // Else the next failure would pass for one of those that have been counted.
    this.#openUntilMs = -Infinity
  }

  /** A probe that told nothing: somebody else may probe. */
  inconclusive(): void {
    this.#probing = false
  }

  /**
   * Returns how long nobody will try, milliseconds. Failures of tries that began together count once. `retryInMs` where the other
   * side itself knows when to try again.
   */
  unavailable(retryInMs?: number): number {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#probing && nowMs < this.#openUntilMs) return this.#openUntilMs - nowMs
    this.#probing = false
    this.#failures += 1
    const delayMs = Math.min(backoffMinMs * 2 ** Math.min(this.#failures - 1, 10), backoffMaxMs)
    const jitteredMs = retryInMs ?? delayMs * (0.75 + 0.5 * this.#random.next())
    this.#openUntilMs = nowMs + jitteredMs
    this.#clock.schedule(jitteredMs, () => {
      for (const listener of this.#listeners) listener()
    })
    return jitteredMs
  }

  /** Called whenever a slot or the circuit may have become free. */
  onFree(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
