import {
  type Counter,
  type Gauge,
  type Histogram,
  type MetricFamily,
  MetricRegistry,
} from '../metrics.ts'
import { StoreMetrics } from './store-metrics.ts'
import { TableMetrics } from './table-metrics.ts'
import { TrafficMetrics } from './traffic-metrics.ts'

const commitBucketsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000]

/**
 * What an instance counts. Counters of a cycle are added when it commits: what was taken back was never counted, except
 * in `recordsIn`, which counts the work.
 */
export class RuntimeMetrics {
  readonly registry: MetricRegistry
  readonly recordsIn: MetricFamily<'topic', Counter>
  readonly recordsOut: MetricFamily<'topic', Counter>
  readonly deadLetters: MetricFamily<'code', Counter>
  readonly lag: MetricFamily<'topic' | 'partition', Gauge>
  readonly retentionUsed: MetricFamily<'topic' | 'partition', Gauge>
  readonly outcomes: MetricFamily<'effect' | 'outcome', Counter>
  readonly ends: MetricFamily<'effect' | 'end', Counter>
  readonly inDoubt: MetricFamily<'effect', Gauge>
  readonly retriesWaiting: MetricFamily<'effect', Gauge>
  readonly openRequests: MetricFamily<'effect', Gauge>
  readonly commitDuration: Histogram
  readonly commitFailures: MetricFamily<'code', Counter>
  readonly stores: StoreMetrics
  readonly tasks: MetricFamily<'state', Gauge>
  readonly tables: TableMetrics
  readonly traffic: TrafficMetrics

  constructor(registry = new MetricRegistry()) {
    this.registry = registry
    this.recordsIn = registry.counter(
      'mailonce_records_in_total',
      'Records processed, by topic; once more after a cycle that was taken back.',
      ['topic'],
    )
    this.recordsOut = registry.counter(
      'mailonce_records_out_total',
      'Records committed, by topic.',
      ['topic'],
    )
    this.deadLetters = registry.counter(
      'mailonce_dead_letters_total',
      'Records sent to the dead letters, by reason.',
      ['code'],
    )
    this.lag = registry.gauge('mailonce_lag_records', 'Records not yet processed.', [
      'topic',
      'partition',
    ])
    this.retentionUsed = registry.gauge(
      'mailonce_lag_retention_ratio',
      "Age of the oldest unprocessed record as a share of its topic's retention; at 1 it is deleted unread.",
      ['topic', 'partition'],
      'max',
    )
    this.outcomes = registry.counter('mailonce_sends_total', 'Tries by what came of them.', [
      'effect',
      'outcome',
    ])
    this.ends = registry.counter('mailonce_requests_ended_total', 'Requests by how they ended.', [
      'effect',
      'end',
    ])
    this.inDoubt = registry.gauge('mailonce_in_doubt', 'Attempts whose fate is unknown now.', [
      'effect',
    ])
    this.retriesWaiting = registry.gauge(
      'mailonce_retries_waiting',
      'Requests that wait for a time.',
      ['effect'],
    )
    this.openRequests = registry.gauge('mailonce_open_requests', 'Requests not yet ended.', [
      'effect',
    ])
    this.commitDuration = registry
      .histogram(
        'mailonce_commit_duration_ms',
        'Transaction begin to end, milliseconds.',
        commitBucketsMs,
      )
      .labels({})
    this.commitFailures = registry.counter(
      'mailonce_commit_failures_total',
      'Cycles that were taken back, by error.',
      ['code'],
    )
    this.stores = new StoreMetrics(registry)
    this.tasks = registry.gauge('mailonce_tasks', 'Tasks of this instance, by state.', ['state'])
    this.tables = new TableMetrics(registry)
    this.traffic = new TrafficMetrics(registry)
  }

  /** Counters that processors add to with `context.count`. */
  custom(name: string): Counter {
    return this.registry
      .counter(`mailonce_${name}_total`, `Counted by a processor as ${name}.`, [])
      .labels({})
  }
}
