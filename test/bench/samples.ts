/** Values over time. */
export class Samples {
  readonly #values: { readonly ms: number; readonly value: number }[] = []

  add(value: number): void {
    this.#values.push({ ms: performance.now(), value })
  }

  /** Median of those between two shares of the whole time, 0 to 1. */
  median(from: number, to: number): number {
    return this.percentile(0.5, from, to)
  }

  percentile(share: number, from: number, to: number): number {
    const sorted = this.#between(from, to).toSorted((a, b) => a.value - b.value)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.value ?? NaN
  }

  /** Slope of the straight line through those from a share of the time on, per minute. */
  growthPerMinute(from: number): number {
    const points = this.#between(from, 1)
    const meanMs = points.reduce((sum, { ms }) => sum + ms, 0) / points.length
    const mean = points.reduce((sum, { value }) => sum + value, 0) / points.length
    const covariance = points.reduce(
      (sum, { ms, value }) => sum + (ms - meanMs) * (value - mean),
      0,
    )
    const variance = points.reduce((sum, { ms }) => sum + (ms - meanMs) ** 2, 0)
    return (covariance / variance) * 60_000
  }

  #between(from: number, to: number): readonly { readonly ms: number; readonly value: number }[] {
    const first = this.#values[0]?.ms ?? 0
    const span = (this.#values.at(-1)?.ms ?? 0) - first
    return this.#values.filter(({ ms }) => ms >= first + span * from && ms <= first + span * to)
  }
}
