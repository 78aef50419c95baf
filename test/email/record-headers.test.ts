import { expect, test } from 'vitest'
import { isFirstPlaceSame, originHeaders } from '../../src/email/record-headers.ts'

const place = { partition: 1, offset: 7, timestampMs: 5 }

test.each([
  { what: 'one place', other: originHeaders(place), same: true },
  { what: 'another offset', other: originHeaders({ ...place, offset: 8 }), same: false },
  { what: 'another partition', other: originHeaders({ ...place, partition: 2 }), same: false },
  { what: 'no word about it', other: [], same: true },
])('two records stood first in the same place: $what', ({ other, same }) => {
  expect(isFirstPlaceSame(originHeaders(place), other)).toBe(same)
})
