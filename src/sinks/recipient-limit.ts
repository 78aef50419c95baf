import type { Clock } from '../clock.ts'

/** What a relay was seen to take is believed for so long, milliseconds: limits change, and asking costs one more transaction. */
const learntForMs = 3_600_000

/**
 * How many recipients a transaction with one relay may have: as many as configured, or as the relay has shown to take
 * (RFC 5321 section 4.5.3.1.10: the others come in a further transaction).
 */
export class RecipientLimit {
  readonly #max: number
  readonly #clock: Clock
  #learnt = Infinity
  #learntAtMs = -Infinity

  constructor(max: number, clock: Clock) {
    this.#max = max
    this.#clock = clock
  }

  get current(): number {
    const isKnown = this.#clock.monotonicMs() - this.#learntAtMs < learntForMs
    return isKnown ? Math.min(this.#learnt, this.#max) : this.#max
  }

  /** So many recipients were accepted, and then it had its fill. */
  learn(accepted: number): void {
    this.#learnt = Math.max(1, accepted)
    this.#learntAtMs = this.#clock.monotonicMs()
  }
}
