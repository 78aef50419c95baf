import { expect, test } from 'vitest'
import { traceHeaders, traceSeed } from '../../src/email/trace-headers.ts'

function madeFor(source: string, offset: number): string {
  const place = { partition: 1, offset, timestampMs: 1_700_000_000_000 }
  const [header] = traceHeaders([], () => traceSeed(`${source}\0r-${offset % 7}`, place))
  return String(header?.value)
}

test('a new trace is the same on every replay, well-formed, and of one record alone', () => {
  const offsets = Array.from({ length: 3000 }, (_, offset) => offset)

  const made = offsets.map(offset => madeFor('shop', offset))

  expect(madeFor('shop', 5)).toBe(made[5])
  for (const each of made) expect(each).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  for (const part of [/-.{8}/, /-.{32}-/, /-.{16}-01$/])
    expect(new Set(made.map(each => part.exec(each)?.[0])).size).toBeGreaterThan(2998)
})

test('neither id is ever zeros alone, which readers refuse', () => {
  const [header] = traceHeaders([], () => '')

  expect(String(header?.value)).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/)
})
