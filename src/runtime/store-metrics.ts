import type { Counter, Gauge, MetricFamily, MetricRegistry } from '../metrics.ts'

/** What an instance tells of its stores, and of the copies it keeps of others'. */
export class StoreMetrics {
  readonly restoreRemaining: MetricFamily<'task' | 'store', Gauge>
  readonly restored: MetricFamily<'task' | 'store', Counter>
  readonly bytes: MetricFamily<'task' | 'store', Gauge>
  readonly standbyLag: MetricFamily<'task', Gauge>

  constructor(registry: MetricRegistry) {
    this.restoreRemaining = registry.gauge(
      'mailonce_restore_remaining_records',
      'Changelog records still to be replayed.',
      ['task', 'store'],
    )
    this.restored = registry.counter(
      'mailonce_restored_records_total',
      'Changelog records replayed.',
      ['task', 'store'],
    )
    this.bytes = registry.gauge('mailonce_store_bytes', 'Size of a store on this disk, roughly.', [
      'task',
      'store',
    ])
    this.standbyLag = registry.gauge(
      'mailonce_standby_lag_records',
      "Changelog records that a copy of another instance's task is behind.",
      ['task'],
    )
  }
}
