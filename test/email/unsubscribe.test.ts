import avro from 'avsc'
import PostalMime from 'postal-mime'
import { describe, expect, test } from 'vitest'
import type { EmailRequested, Unsubscribe } from '../../src/email/records.ts'
import { schemaText } from '../../src/email/schemas.ts'
import { invalidities } from '../../src/email/validate.ts'
import { composeMail } from '../../src/sinks/compose-mail.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const url = 'https://example.org/u?t=a;b&c=%2C'
const unsubscribe = { url, mailto: 'u@example.org?subject=u%2017', oneClick: true }

const composed = async (fields: Partial<EmailRequested>): Promise<{ readonly bytes: Buffer }> =>
  composeMail(emailRequested(fields), noonMs, 'shop@example.org')

test.each<{ asked: Unsubscribe; value: string; post: string | undefined }>([
  {
    asked: unsubscribe,
    value: `<${url}>, <mailto:u@example.org?subject=u%2017>`,
    post: 'List-Unsubscribe=One-Click',
  },
  { asked: { url, mailto: null, oneClick: false }, value: `<${url}>`, post: undefined },
  {
    asked: { url: null, mailto: 'u@example.org', oneClick: false },
    value: '<mailto:u@example.org>',
    post: undefined,
  },
  {
    asked: { url: `https://example.org/${'x'.repeat(880)}`, mailto: 'u@a.b', oneClick: true },
    value: `<https://example.org/${'x'.repeat(880)}>, <mailto:u@a.b>`,
    post: 'List-Unsubscribe=One-Click',
  },
])('$value', async ({ asked, value, post }) => {
  const { bytes } = await composed({ unsubscribe: asked })

  const { headers } = await PostalMime.parse(bytes)
  const valueOf = (key: string): string | undefined => headers.find(each => each.key === key)?.value
  expect(valueOf('list-unsubscribe')).toBe(value)
  expect(valueOf('list-unsubscribe-post')).toBe(post)
  const lines = bytes.toString('latin1').split('\r\n')
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(998)
})

test('without it there is no such header', async () => {
  expect((await composed({})).bytes.toString().toLowerCase()).not.toContain('list-unsubscribe')
})

test('what is asked for is valid, and the headers by hand are as well', () => {
  const byHand = { 'List-Unsubscribe': '<mailto:u@example.org>' }

  expect(invalidities(emailRequested({ unsubscribe }), noonMs)).toEqual([])
  expect(invalidities(emailRequested({ headers: byHand }), noonMs)).toEqual([])
})

describe.each<{ rule: string; fields: Partial<EmailRequested>; says: RegExp }>([
  {
    rule: 'neither url nor mailto',
    fields: { unsubscribe: { url: null, mailto: null, oneClick: false } },
    says: /neither url nor mailto/,
  },
  {
    rule: 'one click without https',
    fields: { unsubscribe: { url: 'http://example.org/', mailto: null, oneClick: true } },
    says: /oneClick needs a url with https/,
  },
  {
    rule: 'one click without a url',
    fields: { unsubscribe: { url: null, mailto: 'u@example.org', oneClick: true } },
    says: /oneClick needs a url with https/,
  },
  ...[
    'javascript:alert(1)',
    'https://',
    'https:example.org',
    'https://a b/',
    'https://a/>,<x',
    'https://a/\r\nBcc: x@y.z',
    'https://bücher.example/',
    `https://a/${'x'.repeat(900)}`,
  ].map(each => ({
    rule: `the url ${JSON.stringify(each).slice(0, 60)}`,
    fields: { unsubscribe: { url: each, mailto: null, oneClick: false } },
    says: /url is no https/,
  })),
  ...['u', 'mailto:u@a.b', 'u@a.b>', 'u@a.b,v@a.b', 'u@a.b?x\r\ny', 'ü@a.b'].map(each => ({
    rule: `the mailto ${JSON.stringify(each)}`,
    fields: { unsubscribe: { url: null, mailto: each, oneClick: false } },
    says: /mailto is no address/,
  })),
  {
    rule: 'the same header by hand',
    fields: { unsubscribe, headers: { 'LIST-Unsubscribe-Post': 'x' } },
    says: /"LIST-Unsubscribe-Post" stands beside unsubscribe/,
  },
])('$rule', ({ fields, says }) => {
  test('is INVALID', () => {
    expect(invalidities(emailRequested(fields), noonMs)).toEqual([expect.stringMatching(says)])
  })

  test('gets past no composer', async () => {
    await expect(composed(fields)).rejects.toMatchObject({ code: 'RECORD_UNDECODABLE' })
  })
})

test('producers and processors may be of either version', () => {
  const now = JSON.parse(schemaText('email.requested')) as { fields: { name: string }[] }
  const before = { ...now, fields: now.fields.filter(({ name }) => name !== 'unsubscribe') }
  const [newer, older] = [now, before].map(schema =>
    avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'never' }),
  ) as [avro.Type, avro.Type]

  const read = (by: avro.Type, from: avro.Type, bytes: Buffer): unknown =>
    by.fromBuffer(bytes, by.createResolver(from))

  expect(read(newer, older, older.toBuffer(emailRequested()))).toMatchObject({ unsubscribe: null })
  expect(read(older, newer, newer.toBuffer(emailRequested({ unsubscribe })))).toMatchObject({
    requestId: 'r-1',
  })
})
