import { expect, test } from 'vitest'
import { describeError, errorCodeOf } from '../../src/errors.ts'
import { RequestReader } from '../../src/cli/request-reader.ts'

const reader = new RequestReader({
  source: undefined,
  makeRequestId: () => 'made',
  nowMs: () => 1000,
})
const least = { source: 'shop', to: ['a@example.com'], subject: 'Hello' }

function refusal(value: unknown): string {
  try {
    reader.fromLine(JSON.stringify(value))
  } catch (error) {
    if (errorCodeOf(error) === 'REQUEST_INVALID') return describeError(error)
    throw error
  }
  throw new Error('nothing was refused')
}

test('fills in what may be left out', () => {
  expect(reader.fromLine(JSON.stringify(least))).toEqual({
    requestId: 'made',
    source: 'shop',
    to: ['a@example.com'],
    cc: [],
    bcc: [],
    from: null,
    replyTo: null,
    subject: 'Hello',
    text: null,
    html: null,
    headers: {},
    attachments: [],
    unsubscribe: null,
    priority: 'NORMAL',
    notBefore: null,
    expiresAt: null,
    inDoubt: 'DEFAULT',
    callback: null,
    requestedAt: 1000,
  })
})

test('takes plain values for everything', () => {
  const request = reader.fromPlain({
    ...least,
    requestId: 'r-1',
    text: 'Hi',
    html: null,
    headers: { 'X-Tag': 'a' },
    attachments: [{ filename: 'a.txt', contentType: 'text/plain', content: 'aGk=' }],
    priority: 'BULK',
    notBefore: '2030-01-31T12:00:00.5+01:00',
    expiresAt: 1_900_000_000_000,
    callback: { context: { order: '7' } },
    requestedAt: '2029-12-31',
  })

  expect(request).toMatchObject({
    requestId: 'r-1',
    attachments: [{ filename: 'a.txt', contentType: 'text/plain', content: Buffer.from('hi') }],
    notBefore: Date.UTC(2030, 0, 31, 11, 0, 0, 500),
    expiresAt: 1_900_000_000_000,
    callback: { context: { order: '7' }, url: null },
    requestedAt: Date.UTC(2029, 11, 31),
  })
})

test.each([
  { text: '2030-01-31T12:00:00Z', hour: 12 },
  { text: '2030-01-31 12:00:00Z', hour: 12 },
  { text: '2030-01-31T12:00', hour: 12 },
  { text: '2030-01-31T12:00:00-02:00', hour: 14 },
  { text: String(Date.UTC(2030, 0, 31, 9)), hour: 9 },
])('reads the time $text', ({ text, hour }) => {
  expect(reader.fromPlain({ ...least, notBefore: text }).notBefore).toBe(
    Date.UTC(2030, 0, 31, hour),
  )
})

test.each([
  { change: { to: 'a@example.com' }, says: 'to has to be a list, not "a@example.com"' },
  { change: { to: ['a', 7] }, says: 'to[1] has to be a text, not 7' },
  { change: { to: undefined }, says: 'to is missing' },
  { change: { source: undefined }, says: 'source is missing' },
  { change: { subject: null }, says: 'subject has to be a text, not null' },
  { change: { subject: '\uD800' }, says: 'subject is no valid Unicode' },
  {
    change: { sbuject: 'x' },
    says: 'sbuject is no known field; allowed are requestId, source, to,',
  },
  { change: { headers: { 'X-A': 1 } }, says: 'headers.X-A has to be a text, not 1' },
  { change: { headers: ['X-A'] }, says: 'headers has to be an object' },
  {
    change: { attachments: [{ filename: 'a', contentType: 'b' }] },
    says: 'attachments[0].content is missing',
  },
  {
    change: { attachments: [{ filename: 'a', contentType: 'b', content: 'no base64!' }] },
    says: 'attachments[0].content has to be bytes in base64',
  },
  {
    change: { attachments: [{ filename: 'a', contentType: 'b', content: 'aGk' }] },
    says: 'bytes in base64',
  },
  {
    change: { priority: 'normal' },
    says: 'priority has to be HIGH or NORMAL or BULK, not "normal"',
  },
  { change: { callback: { context: { a: null } } }, says: 'callback.context.a has to be a text' },
  { change: { callback: true }, says: 'callback has to be an object, not true' },
  { change: { notBefore: 'tomorrow' }, says: 'notBefore has to be a time in ISO 8601' },
  { change: { notBefore: '2030-02-30' }, says: 'notBefore has to be a time' },
  { change: { notBefore: '2030-02-28T25:00:00Z' }, says: 'notBefore has to be a time' },
  { change: { notBefore: 1.5 }, says: 'notBefore has to be a time' },
  { change: { notBefore: -1 }, says: 'notBefore has to be a time' },
  { change: { requestedAt: null }, says: 'requestedAt has to be a time' },
])('refuses $change', ({ change, says }) => {
  expect(refusal({ ...least, ...change })).toContain(says)
})

test.each(['[]', 'null', '7', '"text"'])('refuses %s as a request', line => {
  expect(() => reader.fromLine(line)).toThrow('has to be a JSON object')
})

test('refuses what is no JSON', () => {
  expect(() => reader.fromLine('{"to": [')).toThrow('is no JSON')
})

test('a huge wrong value is not repeated as a whole', () => {
  expect(refusal({ ...least, to: 'x'.repeat(10_000) }).length).toBeLessThan(200)
})

test('a context may have any key, even one that objects use themselves', () => {
  const request = reader.fromLine(
    JSON.stringify(least).replace('}', ',"callback":{"context":{"__proto__":"x"}}}'),
  )

  expect(Object.entries(request.callback?.context ?? {})).toEqual([['__proto__', 'x']])
})

test('a source for lines that name none is used only for those', () => {
  const withSource = new RequestReader({
    source: 'batch',
    makeRequestId: () => 'made',
    nowMs: () => 0,
  })

  const sources = [{ ...least, source: undefined }, least].map(
    line => withSource.fromLine(JSON.stringify(line)).source,
  )

  expect(sources).toEqual(['batch', 'shop'])
})
