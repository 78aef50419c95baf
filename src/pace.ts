/**
 * Spreads what is begun over time: the generic cell rate algorithm, which needs one number and no timer. A tenth of a second's
 * worth may be begun in one go. It also measures what is begun, limited or not. Times are monotonic milliseconds, rates per second;
 * a rate of `Infinity` lets everything pass.
 */
export class Pace {
  /** When the next one would be due if all came evenly. */
  #evenlyMs = -Infinity
  readonly #meter = new RateMeter()

  /** How many may be begun now. */
  room(nowMs: number, perSecond: number): number {
    if (perSecond === Infinity) return Infinity
    const ahead = (Math.max(this.#evenlyMs, nowMs) - nowMs) * (perSecond / 1000)
    // What floating point loses is no try.
    return Math.max(0, Math.floor(burstOf(perSecond) - ahead + 1e-9))
  }

  /**
   * Whole milliseconds until there is room for one: whoever waits that long finds it. A fraction below what the clock can tell apart
   * would be waited for again and again at the same time.
   */
  waitMs(nowMs: number, perSecond: number): number {
    if (perSecond === Infinity) return 0
    const tolerance = (burstOf(perSecond) - 1) * (1000 / perSecond)
    return Math.max(0, Math.ceil(this.#evenlyMs - tolerance - nowMs))
  }

  begin(nowMs: number, perSecond: number): void {
    if (perSecond !== Infinity) this.#evenlyMs = Math.max(this.#evenlyMs, nowMs) + 1000 / perSecond
    this.#meter.count(nowMs)
  }

  /** One that was begun came to nothing. */
  takeBack(perSecond: number): void {
    if (perSecond !== Infinity) this.#evenlyMs -= 1000 / perSecond
  }

  /** Begun per second lately. */
  measured(nowMs: number): number {
    return this.#meter.perSecond(nowMs)
  }
}

const windowMs = 4000

/** Counts in two windows, the present and the last. */
class RateMeter {
  #sinceMs = -Infinity
  #count = 0
  #last = 0

  count(nowMs: number): void {
    this.#turn(nowMs)
    this.#count += 1
  }

  perSecond(nowMs: number): number {
    this.#turn(nowMs)
    const overMs = this.#last === 0 ? 0 : windowMs
    return ((this.#count + this.#last) * 1000) / Math.max(1000, nowMs - this.#sinceMs + overMs)
  }

  #turn(nowMs: number): void {
    const ageMs = nowMs - this.#sinceMs
    if (ageMs < windowMs) return
    this.#last = ageMs < 2 * windowMs ? this.#count : 0
    this.#count = 0
    this.#sinceMs = ageMs < 2 * windowMs ? this.#sinceMs + windowMs : nowMs
  }
}

function burstOf(perSecond: number): number {
  return Math.max(1, Math.floor(perSecond / 10))
}
