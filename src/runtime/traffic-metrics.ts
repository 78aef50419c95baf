import type { SinkSlots } from '../effects/sink-slots.ts'
import type { Gauge, MetricFamily, MetricRegistry } from '../metrics.ts'

/** What limits hold back. */
export class TrafficMetrics {
  readonly #outboxBytes: MetricFamily<'effect', Gauge>
  readonly #outboxFull: MetricFamily<'effect', Gauge>
  readonly #throttleShare: MetricFamily<'effect' | 'party', Gauge>

  constructor(registry: MetricRegistry) {
    this.#outboxBytes = registry.gauge(
      'mailonce_outbox_bytes',
      'What the requests that have not ended take, roughly.',
      ['effect'],
    )
    this.#outboxFull = registry.gauge(
      'mailonce_outbox_full',
      '1 while no more requests are taken because too many are open.',
      ['effect'],
      'max',
    )
    this.#throttleShare = registry.gauge(
      'mailonce_throttle_share',
      'Who asked for fewer messages, and the share of what it took before that it gets now.',
      ['effect', 'party'],
      'min',
    )
  }

  observe(slotsByEffect: ReadonlyMap<string, SinkSlots>): void {
    this.#throttleShare.clear()
    for (const [effect, { outbox, throttled }] of slotsByEffect) {
      this.#outboxBytes.labels({ effect }).set(outbox.bytes)
      this.#outboxFull.labels({ effect }).set(outbox.isFull ? 1 : 0)
      for (const [party, share] of throttled)
        this.#throttleShare.labels({ effect, party }).set(share)
    }
  }
}
