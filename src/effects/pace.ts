/** A rate is measured over about this time, milliseconds. */
const measuredMs = 5000

/**
 * Spreads what is begun over time: the generic cell rate algorithm, which needs one number and no timer. A tenth of a second's
 * worth may be begun in one go. It also measures what is begun, limited or not. Times are monotonic milliseconds, rates per second;
 * a rate of `Infinity` lets everything pass.
 */
export class Pace {
  /** When the next one would be due if all came evenly. */
  #evenlyMs = -Infinity
  #sinceMs: number | undefined
  #atMs = 0
  #recent = 0

  /** How many may be begun now. */
  room(nowMs: number, perSecond: number): number {
    if (perSecond === Infinity) return Infinity
    const ahead = (Math.max(this.#evenlyMs, nowMs) - nowMs) * (perSecond / 1000)
    // What floating point loses is no try.
    return Math.max(0, Math.floor(burstOf(perSecond) - ahead + 1e-9))
  }

  /** Milliseconds until there is room for one. */
  waitMs(nowMs: number, perSecond: number): number {
    if (perSecond === Infinity) return 0
    const tolerance = (burstOf(perSecond) - 1) * (1000 / perSecond)
    return Math.max(0, this.#evenlyMs - tolerance - nowMs)
  }

  begin(nowMs: number, perSecond: number): void {
    this.#evenlyMs = Math.max(this.#evenlyMs, nowMs) + 1000 / perSecond
    this.#recent = this.#recentAt(nowMs) + 1
    this.#sinceMs ??= nowMs
    this.#atMs = nowMs
  }

  /** Begun per second lately. */
  measured(nowMs: number): number {
    if (this.#sinceMs === undefined) return 0
    const overMs = Math.min(measuredMs, Math.max(1000, nowMs - this.#sinceMs))
    return this.#recentAt(nowMs) / (overMs / 1000)
  }

  #recentAt(nowMs: number): number {
    return this.#recent * Math.exp((this.#atMs - nowMs) / measuredMs)
  }
}

function burstOf(perSecond: number): number {
  return Math.max(1, Math.floor(perSecond / 10))
}
