import { expect, test } from 'vitest'
import { isFirstPlaceSame, originHeaders, placeInHeaders } from '../../src/email/record-headers.ts'
import type { RecordHeader } from '../../src/topology/topology.ts'

const place = { partition: 1, offset: 7, timestampMs: 5 }

test.each([
  { what: 'one place', other: originHeaders(place), same: true },
  { what: 'another offset', other: originHeaders({ ...place, offset: 8 }), same: false },
  { what: 'another partition', other: originHeaders({ ...place, partition: 2 }), same: false },
  { what: 'no word about it', other: [], same: true },
])('two records stood first in the same place: $what', ({ other, same }) => {
  expect(isFirstPlaceSame(originHeaders(place), other)).toBe(same)
})

test.each([
  { written: '0', read: 0 },
  { written: '0042', read: 42 },
  { written: '9007199254740991', read: Number.MAX_SAFE_INTEGER },
  { written: '12345678901234567', read: undefined },
  { written: '', read: undefined },
  { written: '-1', read: undefined },
  { written: '1:', read: undefined },
  { written: ' 1', read: undefined },
  { written: '1\n', read: undefined },
  { written: null, read: undefined },
])('an offset written $written is $read', ({ written, read }) => {
  const of = (key: string, value: string | null): RecordHeader => ({
    key,
    value: value === null ? null : Buffer.from(value),
  })
  const headers = [
    of('origin.partition', '1'),
    of('origin.offset', written),
    of('origin.offset', '7'),
    of('origin.timestamp', '2'),
  ]

  expect(placeInHeaders(headers)?.offset).toBe(read)
})
