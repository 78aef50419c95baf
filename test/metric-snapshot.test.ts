import { expect, test } from 'vitest'
import { mergeMetrics, renderMetrics } from '../src/metric-snapshot.ts'
import { MetricRegistry } from '../src/metrics.ts'

function thread(fill: (registry: MetricRegistry) => void) {
  const registry = new MetricRegistry()
  fill(registry)
  return registry.snapshot()
}

const merged = (...threads: readonly ReturnType<typeof thread>[]): string =>
  renderMetrics(mergeMetrics(threads))

test('what threads count adds up, label by label', () => {
  const counting = (a: number, b: number) => (registry: MetricRegistry) => {
    const sent = registry.counter('sent_total', 'Sent.', ['relay'])
    sent.labels({ relay: 'a' }).inc(a)
    if (b > 0) sent.labels({ relay: 'b' }).inc(b)
  }

  const text = merged(thread(counting(1, 0)), thread(counting(2, 5)))

  expect(text).toContain('sent_total{relay="a"} 3\n')
  expect(text).toContain('sent_total{relay="b"} 5\n')
  expect(text.match(/# TYPE/g)).toHaveLength(1)
})

test.each([
  { across: undefined, shown: 9 },
  { across: 'max', shown: 5 },
  { across: 'min', shown: 4 },
] as const)('a gauge of $across shows $shown of 4 and 5', ({ across, shown }) => {
  const gauge = (value: number) =>
    thread(registry => registry.gauge('some', 'Some.', [], across).labels({}).set(value))

  expect(merged(gauge(4), gauge(5))).toContain(`some ${shown}\n`)
})

test('histograms add up bucket by bucket', () => {
  const waits = (...values: readonly number[]) =>
    thread(registry => {
      const histogram = registry.histogram('wait', 'Waiting.', [1, 10]).labels({})
      for (const value of values) histogram.observe(value)
    })

  const text = merged(waits(0.5, 5), waits(5, 50))

  expect(text).toContain('wait_bucket{le="1"} 1\nwait_bucket{le="10"} 3\n')
  expect(text).toContain('wait_sum 60.5\nwait_count 4\n')
})

test('what was told does not change when more is counted', () => {
  const registry = new MetricRegistry()
  const histogram = registry.histogram('wait', 'Waiting.', [1]).labels({})
  const before = registry.snapshot()

  histogram.observe(0.5)

  expect(renderMetrics(before)).toContain('wait_count 0')
})
