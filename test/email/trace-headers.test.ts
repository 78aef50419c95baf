import { expect, test } from 'vitest'
import { acceptedHeaders } from '../../src/email/accepted-headers.ts'
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

const traceparent = {
  key: 'traceparent',
  value: Buffer.from(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`),
}
const tracestate = { key: 'tracestate', value: Buffer.from('a=b') }
const other = { key: 'other', value: Buffer.from('c') }

test.each([
  { what: 'none of its own', headers: [] },
  { what: 'no trace among its headers', headers: [other, tracestate] },
  { what: 'an empty one', headers: [{ key: 'traceparent', value: null }] },
  { what: 'one of its own', headers: [other, tracestate, traceparent] },
])('a request that arrives has the trace that its place and name give it: $what', ({ headers }) => {
  for (const offset of [0, 7, 4_000_000_000, Number.MAX_SAFE_INTEGER]) {
    const place = { partition: offset % 12, offset, timestampMs: 1_700_000_000_000 }
    const identity = 'bücher\0東京-1'

    const accepted = acceptedHeaders('mailonce', place, identity, headers)

    const trace = traceHeaders(headers, () => traceSeed(identity, place))
    expect(accepted.slice(-trace.length)).toEqual(trace)
  }
})
