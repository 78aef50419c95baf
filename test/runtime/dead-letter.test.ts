import { expect, test } from 'vitest'
import { deadLetter } from '../../src/runtime/dead-letter.ts'
import type { ConsumedRecord } from '../../src/runtime/ports.ts'

const record: ConsumedRecord = {
  topic: 'requests',
  partition: 4,
  offset: 17,
  timestampMs: 5,
  key: Buffer.from([0xff, 0x00]),
  value: Buffer.from([0x00, 0xfe]),
  headers: [
    { key: 'traceparent', value: Buffer.from('00-aa-bb-01') },
    { key: 'empty', value: Buffer.alloc(0) },
    { key: 'none', value: null },
  ],
}

const reason = { code: 'RECORD_UNDECODABLE', message: 'wrong magic' }

function headersOf(from: ConsumedRecord): (readonly [string, string | null])[] {
  return deadLetter('dead', 6, from, reason, 99).headers.map(({ key, value }) => [
    key,
    value === null ? null : value.toString(),
  ])
}

test('the bytes are untouched; null stays null, empty stays empty', () => {
  const dead = deadLetter('dead', 6, record, reason, 99)
  const nothing = deadLetter('dead', 6, { ...record, key: null, value: null }, reason, 99)
  const empty = deadLetter('dead', 6, { ...record, value: Buffer.alloc(0) }, reason, 99)

  expect([dead.key, dead.value]).toEqual([record.key, record.value])
  expect([nothing.key, nothing.value]).toEqual([null, null])
  expect(empty.value).toEqual(Buffer.alloc(0))
})

test('its own headers come first, then the reason and where it stood', () => {
  expect(headersOf(record)).toEqual([
    ['traceparent', '00-aa-bb-01'],
    ['empty', ''],
    ['none', null],
    ['error.code', 'RECORD_UNDECODABLE'],
    ['error.message', 'wrong magic'],
    ['source.topic', 'requests'],
    ['source.partition', '4'],
    ['source.offset', '17'],
    ['failed.at', '99'],
  ])
})

test('a record without a trace gets one, the same on every replay and another in another place', () => {
  const traceOf = (from: ConsumedRecord) => headersOf(from).find(([key]) => key === 'traceparent')
  const bare = { ...record, headers: [] }

  expect(traceOf(bare)?.[1]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(traceOf(bare)).toEqual(traceOf({ ...bare }))
  expect(traceOf(bare)).not.toEqual(traceOf({ ...bare, offset: 18 }))
})

test('it has a partition although the dead letters have fewer', () => {
  expect(deadLetter('dead', 6, record, reason, 99).partition).toBe(4)
  expect(deadLetter('dead', 3, record, reason, 99).partition).toBe(1)
})
