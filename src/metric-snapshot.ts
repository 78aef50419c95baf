/** What the threads of one process make of a gauge together. */
export type Across = 'sum' | 'max' | 'min'

export interface HistogramSnapshot {
  readonly bounds: readonly number[]
  /** One more than there are bounds. Not cumulative. */
  readonly counts: Float64Array
  readonly sum: number
}

/** A metric as it was at some moment, as plain data; its values by their labels, as Prometheus writes them, without braces. */
export type MetricSnapshot = { readonly name: string; readonly help: string } & (
  | {
      readonly kind: 'counter' | 'gauge'
      readonly across: Across
      readonly values: ReadonlyMap<string, number>
    }
  | { readonly kind: 'histogram'; readonly values: ReadonlyMap<string, HistogramSnapshot> }
)

const combine: Readonly<Record<Across, (one: number, other: number) => number>> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
}

/** One process out of its threads, which all count the same things. */
export function mergeMetrics(
  threads: readonly (readonly MetricSnapshot[])[],
): readonly MetricSnapshot[] {
  const merged = new Map<string, MetricSnapshot>()
  for (const each of threads.flat()) {
    const before = merged.get(each.name)
    merged.set(each.name, before === undefined ? each : mergeMetric(before, each))
  }
  return [...merged.values()]
}

function mergeMetric(one: MetricSnapshot, other: MetricSnapshot): MetricSnapshot {
  if (one.kind === 'histogram' && other.kind === 'histogram')
    return { ...one, values: mergeValues(one.values, other.values, mergeHistogram) }
  if (one.kind === 'histogram' || other.kind === 'histogram') return one
  return { ...one, values: mergeValues(one.values, other.values, combine[one.across]) }
}

function mergeValues<T>(
  one: ReadonlyMap<string, T>,
  other: ReadonlyMap<string, T>,
  merge: (one: T, other: T) => T,
): ReadonlyMap<string, T> {
  const values = new Map(one)
  for (const [labels, value] of other) {
    const before = values.get(labels)
    values.set(labels, before === undefined ? value : merge(before, value))
  }
  return values
}

function mergeHistogram(one: HistogramSnapshot, other: HistogramSnapshot): HistogramSnapshot {
  const counts = one.counts.map((count, index) => count + (other.counts[index] ?? 0))
  return { bounds: one.bounds, counts, sum: one.sum + other.sum }
}

/** The text format of Prometheus, version 0.0.4. */
export function renderMetrics(metrics: readonly MetricSnapshot[]): string {
  const lines: string[] = []
  for (const { name, help, ...metric } of metrics) {
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${metric.kind}`)
    if (metric.kind === 'histogram')
      for (const [labels, histogram] of metric.values)
        lines.push(...histogramLines(name, labels, histogram))
    else
      for (const [labels, value] of metric.values)
        lines.push(`${name}${braced(labels)} ${numberText(value)}`)
  }
  return `${lines.join('\n')}\n`
}

function histogramLines(name: string, labels: string, histogram: HistogramSnapshot): string[] {
  const prefix = labels === '' ? '' : `${labels},`
  let total = 0
  const buckets = Array.from(histogram.counts, (count, index) => {
    total += count
    return `${name}_bucket{${prefix}le="${numberText(histogram.bounds[index] ?? Infinity)}"} ${total}`
  })
  return [
    ...buckets,
    `${name}_sum${braced(labels)} ${numberText(histogram.sum)}`,
    `${name}_count${braced(labels)} ${total}`,
  ]
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapeHelp(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
