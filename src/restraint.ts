import { Throttle } from './throttle.ts'

/** Weight of the latest answer in the share of complaints. */
const answerWeight = 1 / 16

/** What somebody takes: tries a second, and at once. */
export interface Taken {
  readonly perSecond: number
  readonly connections: number
}

/** What somebody is held to who asked for less, by how sure it is that he did. Monotonic milliseconds. */
export class Restraint {
  #throttle: Throttle | undefined
  /** Share of the latest answers that may have asked for less. */
  #complaining = 0

  /** Of what was taken at the first complaint; undefined where nobody asks for less. */
  get share(): number | undefined {
    return this.#throttle?.share
  }

  /** At most; Infinity where nobody asks for less. */
  get perSecond(): number {
    return this.#throttle?.perSecond ?? Infinity
  }

  /** At most, 1 or more; Infinity where nobody asks for less. */
  get connections(): number {
    return this.#throttle?.connections ?? Infinity
  }

  /**
   * A try that began then was asked for less, or may have been: that counts when half of the latest answers say so. `taken` is what
   * there is to halve. True when less is allowed from now on.
   */
  complain(
    at: { readonly beganMs: number; readonly nowMs: number; readonly isCertain: boolean },
    taken: Taken,
    limit: { readonly perSecond: number },
  ): boolean {
    this.#complaining += (1 - this.#complaining) * answerWeight
    if (!at.isCertain && this.#complaining < 0.5) return false
    this.#complaining = 0
    this.#throttle ??= new Throttle(taken, limit)
    return this.#throttle.decrease(at.beganMs, at.nowMs)
  }

  /** One that began then was taken without complaint. True when everything is allowed again. */
  welcome(beganMs: number, nowMs: number): boolean {
    this.#complaining *= 1 - answerWeight
    if (this.#throttle === undefined) return false
    this.#throttle.increase(beganMs, nowMs)
    if (!this.#throttle.isOver) return false
    this.#throttle = undefined
    return true
  }
}
