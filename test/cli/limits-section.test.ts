import { expect, test } from 'vitest'
import { limitsSection } from '../../src/cli/limits-section.ts'

const read = (value: unknown): unknown => limitsSection.read!(JSON.stringify(value), 'file: limits')

test('without the section nothing is limited but what one instance keeps waiting', () => {
  expect(limitsSection.parse('{}')).toEqual({
    traffic: {
      sink: {},
      destination: {},
      destinations: new Map(),
      source: {},
      sources: new Map(),
      isAdaptive: true,
    },
    outbox: { requests: 1_000_000, bytes: 10_000_000_000 },
  })
})

test('each key has its place', () => {
  const section = {
    relay: { 'per-second': 100 },
    domain: { connections: 10 },
    domains: { 'Gmail.com': { connections: 5, 'per-second': 0.5 } },
    source: { 'per-second': 50 },
    sources: { 'crm system': { connections: 2 } },
    adaptive: false,
    'open-requests': 1000,
    'open-megabytes': 5,
  }

  expect(read(section)).toEqual({
    traffic: {
      sink: { perSecond: 100 },
      destination: { connections: 10 },
      destinations: new Map([['gmail.com', { connections: 5, perSecond: 0.5 }]]),
      source: { perSecond: 50 },
      sources: new Map([['crm system', { connections: 2 }]]),
      isAdaptive: false,
    },
    outbox: { requests: 1000, bytes: 5_000_000 },
  })
})

test.each([
  [{ domains: { 'a b': {} } }, /limits\.domains: "a b" is not a domain such as example\.com/],
  [
    { domains: { 'a.example': { 'per-second': 0 } } },
    /limits\.domains\.a\.example\.per-second: "0" is not a number from 0\.01 to 100000/,
  ],
  [
    { domain: { connections: 0 } },
    /limits\.domain\.connections: "0" is not a whole number from 1 to 10000/,
  ],
  [{ domain: { rate: 5 } }, /limits\.domain\.rate is no known key/],
  [{ relay: { connections: 5 } }, /limits\.relay\.connections is no known key/],
  [{ 'open-requests': 0 }, /limits\.open-requests: "0" is not a whole number/],
])('what is wrong in %j is named', (section, message) => {
  expect(() => read(section)).toThrow(message)
})
