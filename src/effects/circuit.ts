import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

const backoffMinMs = 500
const backoffMaxMs = 30_000

/**
 * While the other side as a whole is out of reach the circuit is open and nobody tries; after a back-off that doubles one try
 * is let through, and its fate decides.
 */
export class Circuit {
  readonly #clock: Clock
  readonly #random: Random
  /** Called when a back-off is over. */
  readonly #onMayTry: () => void
  #failures = 0
  #openUntilMs = -Infinity
  #probing = false

  constructor(clock: Clock, random: Random, onMayTry: () => void) {
    this.#clock = clock
    this.#random = random
    this.#onMayTry = onMayTry
  }

  get isOpen(): boolean {
    return this.#failures > 0
  }

  get mayTry(): boolean {
    if (this.#failures === 0) return true
    return !this.#probing && this.#clock.monotonicMs() >= this.#openUntilMs
  }

  /** A try begins; while the circuit is open it is the probe. */
  begin(): void {
    if (this.#failures > 0) this.#probing = true
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
    this.#clock.schedule(jitteredMs, this.#onMayTry)
    return jitteredMs
  }
}
