import { expect, test } from 'vitest'
import { retryAfterMs } from '../../src/sinks/http-retry-after.ts'

const nowMs = Date.UTC(2026, 0, 1, 12)

test.each([
  ['120', 120_000],
  ['0', 0],
  [' 7 ', 7000],
  ['Thu, 01 Jan 2026 12:01:00 GMT', 60_000],
  ['Thu, 01 Jan 2026 11:59:00 GMT', 0],
  ['9999999999', 86_400_000],
  ['Fri, 01 Jan 2027 12:00:00 GMT', 86_400_000],
  [undefined, null],
  ['', null],
  ['soon', null],
  ['-1', null],
  ['1.5', null],
  ['99999999999', null],
  ['2026-01-01T12:01:00Z', null],
  ['Xyz, 99 Foo 2026 12:01:00 GMT', null],
])('%j asks for %j ms', (value, delayMs) => {
  expect(retryAfterMs(value, nowMs)).toBe(delayMs)
})
