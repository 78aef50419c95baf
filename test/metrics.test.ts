import { expect, test } from 'vitest'
import { MetricRegistry } from '../src/metrics.ts'

test('counters and gauges are rendered with help, type and labels', () => {
  const registry = new MetricRegistry()

  registry
    .counter('mailonce_sent_total', 'Mails the relay took.', ['relay'])
    .labels({ relay: 'a:25' })
    .inc(2)
  registry.gauge('mailonce_tasks', 'Tasks that run.').labels({}).set(3)

  expect(registry.render()).toBe(
    [
      '# HELP mailonce_sent_total Mails the relay took.',
      '# TYPE mailonce_sent_total counter',
      'mailonce_sent_total{relay="a:25"} 2',
      '# HELP mailonce_tasks Tasks that run.',
      '# TYPE mailonce_tasks gauge',
      'mailonce_tasks 3',
      '',
    ].join('\n'),
  )
})

test('a histogram counts a value in every bucket it fits in, bounds included', () => {
  const registry = new MetricRegistry()
  const seconds = registry
    .histogram('wait_seconds', 'Waiting.', [0.1, 1], ['stage'])
    .labels({ stage: 'x' })

  for (const value of [0.1, 0.5, 7]) seconds.observe(value)

  expect(registry.render()).toContain(
    [
      'wait_seconds_bucket{stage="x",le="0.1"} 1',
      'wait_seconds_bucket{stage="x",le="1"} 2',
      'wait_seconds_bucket{stage="x",le="+Inf"} 3',
      'wait_seconds_sum{stage="x"} 7.6',
      'wait_seconds_count{stage="x"} 3',
    ].join('\n'),
  )
})

test('a label value cannot break out of its quotes', () => {
  const registry = new MetricRegistry()

  registry.counter('odd_total', 'Odd.', ['text']).labels({ text: 'a"b\\c\nd' }).inc()

  expect(registry.render()).toContain(String.raw`odd_total{text="a\"b\\c\nd"} 1`)
})

test('values that are written alike are one', () => {
  const registry = new MetricRegistry()
  const lag = registry.gauge('lag_records', 'Lag.', ['topic', 'partition'])

  lag.labels({ topic: 'a', partition: 0 }).inc(2)
  lag.labels({ topic: 'a', partition: '0' }).inc(3)
  lag.labels({ partition: 0, topic: 'a' }).inc(1)
  lag.labels({ topic: 'b', partition: 0 }).inc(1)

  expect(registry.render()).toContain('lag_records{topic="a",partition="0"} 6')
  expect(registry.render()).toContain('lag_records{topic="b",partition="0"} 1')
})

test('the same metric may be asked for twice, another kind under its name may not', () => {
  const registry = new MetricRegistry()

  registry.counter('twice_total', 'Twice.').labels({}).inc()
  registry.counter('twice_total', 'Twice.').labels({}).inc()

  expect(registry.render()).toContain('twice_total 2')
  expect(() => registry.gauge('twice_total', 'Twice.')).toThrow('registered already as counter')
  expect(() => registry.counter('twice_total', 'Twice.', ['more'])).toThrow('registered already')
})

test('combinations that were cleared are not shown any more', () => {
  const registry = new MetricRegistry()
  const lag = registry.gauge('lag_records', 'Lag.', ['partition'])
  lag.labels({ partition: 0 }).set(5)
  lag.labels({ partition: 1 }).set(6)

  lag.clear()
  lag.labels({ partition: 1 }).set(7)

  expect(registry.render()).not.toContain('partition="0"')
  expect(registry.render()).toContain('lag_records{partition="1"} 7')
})

test('values may be collected when somebody asks', () => {
  const registry = new MetricRegistry()
  const bytes = registry.gauge('bytes', 'Bytes.').labels({})
  let current = 1
  registry.onRender(() => bytes.set(current))

  current = 42

  expect(registry.render()).toContain('\nbytes 42\n')
})

test('a counter never goes down', () => {
  const counter = new MetricRegistry().counter('down_total', 'Down.').labels({})

  expect(() => counter.inc(-1)).toThrow('only grows')
})
