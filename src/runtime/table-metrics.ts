import type { Counter, Gauge, MetricFamily, MetricRegistry } from '../metrics.ts'

/** What an instance counts of its global tables. */
export class TableMetrics {
  readonly entries: MetricFamily<'table', Gauge>
  readonly skipped: MetricFamily<'table', Counter>

  constructor(registry: MetricRegistry) {
    this.entries = registry.gauge(
      'mailonce_global_table_entries',
      'Entries of a global table in memory.',
      ['table'],
      'max',
    )
    this.skipped = registry.counter(
      'mailonce_global_table_skipped_total',
      'Records of a global table without a key, or that could not be decoded.',
      ['table'],
    )
  }
}
