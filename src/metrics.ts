import assert from 'node:assert/strict'
import { type Across, type MetricSnapshot, renderMetrics } from './metric-snapshot.ts'

/** One value for each label name of the metric. */
export type LabelValues<Label extends string> = Readonly<Record<Label, string | number>>

/** Only grows. Observing is one addition: text is built when somebody asks for it. */
export class Counter {
  value = 0

  /** Adds `by`, 0 or more. */
  inc(by = 1): void {
    if (!(by >= 0)) assert.fail(`a counter only grows: ${by}`)
    this.value += by
  }
}

/** Goes up and down. */
export class Gauge {
  value = 0

  set(value: number): void {
    this.value = value
  }

  inc(by = 1): void {
    this.value += by
  }

  dec(by = 1): void {
    this.value -= by
  }
}

/** Counts observations by upper bound. */
export class Histogram {
  readonly bounds: readonly number[]
  /** One more than there are bounds: the last counts what is above all of them. Not cumulative. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    let index = 0
    while (index < this.bounds.length && value > (this.bounds[index] ?? Infinity)) index += 1
    this.counts[index] = (this.counts[index] ?? 0) + 1
    this.sum += value
  }
}

type ValueTree<Child> = Map<string | number, ValueTree<Child> | Child>

/** A metric's values, one for each combination of labels. Whoever observes often keeps what `labels` returned. */
export class MetricFamily<Label extends string, Child> {
  readonly labelNames: readonly Label[]
  readonly #create: () => Child
  readonly #children = new Map<string, Child>()
  /** The same by their values, one level for each label name: nothing is made to find one that is known. */
  readonly #byValue: ValueTree<Child> = new Map()

  constructor(labelNames: readonly Label[], create: () => Child) {
    this.labelNames = labelNames
    this.#create = create
  }

  labels(values: LabelValues<Label>): Child {
    const names = this.labelNames
    let tree = this.#byValue
    for (let index = 0; index < names.length - 1; index += 1) {
      const value = values[names[index]!]
      let below = tree.get(value) as ValueTree<Child> | undefined
      if (below === undefined) tree.set(value, (below = new Map()))
      tree = below
    }
    const last = names.length === 0 ? '' : values[names[names.length - 1]!]
    let child = tree.get(last) as Child | undefined
    if (child === undefined) tree.set(last, (child = this.#childOf(this.#key(values))))
    return child
  }

  /** Forgets every combination: what is gone (a partition that moved away) must not be shown for ever. */
  clear(): void {
    this.#children.clear()
    this.#byValue.clear()
  }

  /** Labels as Prometheus writes them, without braces, and the values. */
  entries(): Iterable<[labels: string, child: Child]> {
    return this.#children.entries()
  }

  /** Values that are written alike, the number and its text, are one. */
  #childOf(key: string): Child {
    let child = this.#children.get(key)
    if (child === undefined) this.#children.set(key, (child = this.#create()))
    return child
  }

  #key(values: LabelValues<Label>): string {
    let key = ''
    for (const name of this.labelNames)
      key += `${key === '' ? '' : ','}${name}="${escapeLabel(String(values[name]))}"`
    return key
  }
}

type Family =
  | {
      readonly kind: 'counter'
      readonly help: string
      readonly family: MetricFamily<string, Counter>
    }
  | {
      readonly kind: 'gauge'
      readonly help: string
      readonly across: Across
      readonly family: MetricFamily<string, Gauge>
    }
  | {
      readonly kind: 'histogram'
      readonly help: string
      readonly family: MetricFamily<string, Histogram>
    }

/**
 * What the process counts, in the text format of Prometheus (version 0.0.4). Asking twice for the same metric returns
 * the same one, so that the workers of a process can share it; another kind or other labels under a known name are a bug.
 */
export class MetricRegistry {
  readonly #families = new Map<string, Family>()
  readonly #collectors: (() => void)[] = []

  /** `name` ends in `_total`. */
  counter<Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): MetricFamily<Label, Counter> {
    const create = (): Family => ({
      kind: 'counter',
      help,
      family: new MetricFamily<string, Counter>(labelNames, () => new Counter()),
    })
    return this.#register('counter', name, labelNames, create) as MetricFamily<Label, Counter>
  }

  /** `across` says what the threads of one process make of it together. */
  gauge<Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    across: Across = 'sum',
  ): MetricFamily<Label, Gauge> {
    const create = (): Family => ({
      kind: 'gauge',
      help,
      across,
      family: new MetricFamily<string, Gauge>(labelNames, () => new Gauge()),
    })
    return this.#register('gauge', name, labelNames, create) as MetricFamily<Label, Gauge>
  }

  /** `buckets` are upper bounds, inclusive, growing, in the unit of the name; +Inf is added. */
  histogram<Label extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly Label[] = [],
  ): MetricFamily<Label, Histogram> {
    const growing = buckets.every(
      (bound, index) => index === 0 || bound > (buckets[index - 1] ?? bound),
    )
    assert(growing, `the buckets of ${name} must grow`)
    const create = (): Family => ({
      kind: 'histogram',
      help,
      family: new MetricFamily<string, Histogram>(labelNames, () => new Histogram(buckets)),
    })
    return this.#register('histogram', name, labelNames, create) as MetricFamily<Label, Histogram>
  }

  /** Called before every `render`, for values that are looked up rather than followed. */
  onRender(collect: () => void): void {
    this.#collectors.push(collect)
  }

  render(): string {
    return renderMetrics(this.snapshot())
  }

  /** What there is just now. */
  snapshot(): readonly MetricSnapshot[] {
    for (const collect of this.#collectors) collect()
    return Array.from(this.#families, ([name, metric]): MetricSnapshot => {
      const { kind, help } = metric
      if (kind === 'histogram') {
        const histograms = Array.from(
          metric.family.entries(),
          ([labels, { bounds, counts, sum }]) =>
            [labels, { bounds, counts: counts.slice(), sum }] as const,
        )
        return { name, kind, help, values: new Map(histograms) }
      }
      const across = kind === 'gauge' ? metric.across : 'sum'
      const numbers = Array.from(
        metric.family.entries(),
        ([labels, { value }]) => [labels, value] as const,
      )
      return { name, kind, help, across, values: new Map(numbers) }
    })
  }

  #register(
    kind: Family['kind'],
    name: string,
    labelNames: readonly string[],
    create: () => Family,
  ): unknown {
    assert(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name), `not a metric name: ${name}`)
    const metric = this.#families.get(name) ?? create()
    assert(
      metric.kind === kind && metric.family.labelNames.join() === labelNames.join(),
      `${name} is registered already as ${metric.kind} with the labels (${metric.family.labelNames.join()})`,
    )
    this.#families.set(name, metric)
    return metric.family
  }
}

function escapeLabel(value: string): string {
  if (!/[\\"\n]/.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
