import { expect, test } from 'vitest'
import { resolveKafkaOptions } from '../../src/kafka/options.ts'
import { silentLogger } from '../../src/log.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const base = { clientId: 'c', clock: new ManualClock(), log: silentLogger }

test('brokers are host and port, names and numbers, the port optional', () => {
  const bootstrapBrokers = ['kafka.example:9093', '127.0.0.1', '[::1]:9094']

  expect(resolveKafkaOptions({ ...base, bootstrapBrokers })).toMatchObject({
    bootstrapBrokers: [
      { host: 'kafka.example', port: 9093 },
      { host: '127.0.0.1', port: 9092 },
      { host: '::1', port: 9094 },
    ],
    requestTimeoutMs: 30_000,
  })
})

test.each([
  { what: 'no broker', options: { bootstrapBrokers: [] } },
  { what: 'a URL', options: { bootstrapBrokers: ['kafka://host:1'] } },
  { what: 'a port that is none', options: { bootstrapBrokers: ['host:70000'] } },
  { what: 'no time to connect', options: { bootstrapBrokers: ['host:1'], connectTimeoutMs: 0 } },
])('$what is refused', ({ options }) => {
  expect(() => resolveKafkaOptions({ ...base, ...options })).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
  )
})
