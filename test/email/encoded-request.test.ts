import avro from 'avsc'
import { describe, expect, test } from 'vitest'

import { contentHash, encodeContent } from '../../src/email/content-hash.ts'
import { EncodedRequest } from '../../src/email/encoded-request.ts'
import { identityOf } from '../../src/email/identity.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import { requestSerde } from '../../src/email/request-serde.ts'
import { schemaText } from '../../src/email/schemas.ts'
import { invalidities } from '../../src/email/validate.ts'
import { boundCounts } from '../../src/kafka/bounded-avro.ts'
import { type Random, seededRandom } from '../../src/random.ts'
import type { Serde } from '../../src/serde.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

type Field = { name: string; type: unknown; default?: unknown }
const schema = JSON.parse(schemaText('email.requested')) as { fields: Field[] }
const ours = typeOf(schema.fields)
const field = (name: string): Field => schema.fields.find(each => each.name === name)!
const without = (...names: string[]): Field[] =>
  schema.fields.filter(({ name }) => !names.includes(name))

function typeOf(fields: readonly Field[]): avro.Type {
  return avro.Type.forSchema({ ...schema, fields } as unknown as avro.Schema, {
    wrapUnions: 'never',
    typeHook: boundCounts,
  })
}

/** Reads what a writer with these fields wrote. */
function codecFor(writer: avro.Type): Serde<EmailRequested> {
  const layout = { schema: writer, start: 0 }
  const resolver = ours.createResolver(writer)
  return {
    isReady: () => true,
    prepare: () => Promise.resolve(),
    serialize: value => writer.toBuffer(value),
    deserialize: bytes => ours.fromBuffer(bytes, resolver) as EmailRequested,
    layoutOf: () => layout,
  }
}

/** What is known of the bytes without decoding all of them, and what is decoded of them. */
function found(
  bytes: Buffer,
  writer = ours,
): { request: EmailRequested; content: Buffer | undefined; value: EmailRequested } {
  const codec = codecFor(writer)
  const request = requestSerde(codec).deserialize(bytes)
  const content = request instanceof EncodedRequest ? request.encodedContent : undefined
  return { request, content, value: codec.deserialize(bytes) }
}

const attachment = { filename: 'a.txt', contentType: 'text/plain', content: Buffer.from([0, 255]) }

test.each<{ what: string; request: Partial<EmailRequested> }>([
  { what: 'an ordinary one', request: {} },
  { what: 'one in many scripts', request: { subject: 'Grüße 東京 😀', text: 'ж'.repeat(5000) } },
  { what: 'one with everything but headers', request: everything() },
])(
  'the content of a request is the part of its bytes that encoding it gives: $what',
  ({ request }) => {
    const { content, value } = found(ours.toBuffer(emailRequested(request)))

    expect(content).toEqual(encodeContent({ ...value, unsubscribe: null }))
  },
)

test.each<{ what: string; fields: Field[] }>([
  { what: 'an earlier one', fields: without('unsubscribe') },
  {
    what: 'a later one',
    fields: [...schema.fields, { name: 'later', type: 'string', default: '' }],
  },
  {
    what: 'one with another text in front',
    fields: [{ name: 'tenant', type: 'string', default: '' }, ...schema.fields],
  },
])('it is found in values of other versions: $what', ({ fields }) => {
  const writer = typeOf(fields)
  const bytes = writer.toBuffer({ ...emailRequested(), tenant: 'ab', later: 'c' })

  const { content, value } = found(bytes, writer)

  expect(content).toEqual(encodeContent(value))
})

describe('it is not looked for where encoding might give other bytes', () => {
  const swapped = [...without('cc'), field('cc')]
  test.each<{ what: string; fields: Field[] }>([
    { what: 'a field stands elsewhere', fields: swapped },
    {
      what: 'two fields of one type have changed places',
      fields: schema.fields.map(({ name, ...rest }) => ({
        ...rest,
        name: name === 'cc' ? 'bcc' : name === 'bcc' ? 'cc' : name,
      })),
    },
    { what: 'a field is missing', fields: without('cc') },
    {
      what: 'a field has another type',
      fields: schema.fields.map(each =>
        each.name === 'from' ? { name: 'from', type: 'string' } : each,
      ),
    },
    {
      what: 'a number stands in front',
      fields: [{ name: 'version', type: 'int', default: 1 }, ...schema.fields],
    },
    {
      what: 'a field stands between',
      fields: schema.fields.flatMap(each =>
        each.name === 'subject' ? [{ name: 'kind', type: 'string', default: '' }, each] : [each],
      ),
    },
  ])('$what', ({ fields }) => {
    const writer = typeOf(fields)
    const request = emailRequested({
      // Read from the wrong place on, it looks like an empty mail behind two empty texts.
      requestId: '\0'.repeat(12),
      cc: ['c@example.org'],
      bcc: ['b@example.org'],
      from: 'a@b.cd',
    })
    const bytes = writer.toBuffer({ ...request, version: 1, kind: '' })

    expect(found(bytes, writer).content).toBeUndefined()
  })

  test.each<{ what: string; bytes: () => Buffer }>([
    { what: 'headers', bytes: () => ours.toBuffer(emailRequested({ headers: { 'X-A': 'a' } })) },
    {
      what: 'a list in a block with its size',
      bytes: () => bare('\u0002\0\0', '\u0001\u0002\0\0'),
    },
    {
      what: 'a list in two blocks',
      bytes: () => {
        const two = ours.toBuffer(emailRequested({ to: ['a@b.cd', 'e@f.gh'] })).toString('latin1')
        return Buffer.from(two.replace('\u0004\u000ca@b.cd', '\u0002\u000ca@b.cd\u0002'), 'latin1')
      },
    },
    {
      what: 'a length with a byte too many',
      bytes: () => replaced('ada@example.org', '\u0002\u001e', '\u0002\u009e\u0000'),
    },
    {
      what: 'a branch with a byte too many',
      bytes: () => bare('\u0002\0\0\0\0\0', '\u0002\0\0\0\0\u0080\0'),
    },
    {
      what: 'bytes that are no UTF-8',
      bytes: () => replaced('Thank you.', '\u0014Th', '\u0014\u00c0\u0080'),
    },
  ])('$what', ({ bytes }) => {
    expect(found(bytes()).content).toBeUndefined()
  })

  /** To nobody in particular and of nothing: what is read one byte further on looks the same. */
  function bare(before: string, after: string): Buffer {
    const request = emailRequested({ to: [''], subject: '', text: null, source: '' })
    const bytes = ours.toBuffer(request).toString('latin1')
    expect(bytes).toContain(`r-1\0${before}`)
    return Buffer.from(bytes.replace(`r-1\0${before}`, `r-1\0${after}`), 'latin1')
  }

  /** An ordinary request with other bytes in front of a text of it. */
  function replaced(text: string, before: string, after: string): Buffer {
    const bytes = ours.toBuffer(emailRequested()).toString('latin1')
    const at = bytes.indexOf(text)
    const start = bytes.lastIndexOf(before, at)
    expect(at - start).toBeLessThanOrEqual(before.length)
    return Buffer.from(bytes.slice(0, start) + after + bytes.slice(start + before.length), 'latin1')
  }
})

const seeds = Array.from({ length: 60 }, (_, seed) => seed)

test.each(seeds)('seed %i: whatever the bytes, it says what the codec says of them', seed => {
  const random = seededRandom(seed)
  const writers = [ours, typeOf(without('unsubscribe')), typeOf([...without('cc'), field('cc')])]
  const reached = { encoded: 0, exact: 0, sound: 0, undecodable: 0 }
  for (let round = 0; round < 80; round += 1) {
    const writer = pick(random, writers)
    const bytes = damaged(random, writer.toBuffer(anyRequest(random)))
    const codec = codecFor(writer)

    const request = attempt(() => requestSerde(codec).deserialize(bytes))
    const value = attempt(() => codec.deserialize(bytes))

    const isEncoded = request instanceof EncodedRequest
    reached.encoded += Number(isEncoded)
    reached.exact += Number(isEncoded && request.encodedContent !== undefined)
    reached.sound += Number(isEncoded && request.isSound)
    reached.undecodable += Number(value instanceof Error)
    expect(answersOf(request)).toEqual(answersOf(value))
  }
  expect(Object.values(reached)).not.toContain(0)
})

function attempt<T>(work: () => T): T | Error {
  try {
    return work()
  } catch (error) {
    return error as Error
  }
}

/** The questions first that need not decode everything. */
function answersOf(request: EmailRequested | Error): object {
  if (request instanceof Error) return { message: request.message }
  const isEncoded = request instanceof EncodedRequest
  const content = isEncoded ? request.encodedContent : undefined
  return {
    identity: isEncoded ? request.identity : identityOf(request),
    problems: invalidities(request, noonMs),
    hash: contentHash(request, content),
    fields: schema.fields.map(({ name }) => request[name as keyof EmailRequested]),
  }
}

function everything(): Partial<EmailRequested> {
  return {
    to: ['a@b.cd', 'e@f.gh'],
    cc: ['c@example.org'],
    bcc: ['b@example.org'],
    from: 'f@example.org',
    replyTo: 'r@example.org',
    html: '<p>',
    attachments: [attachment, { ...attachment, content: Buffer.alloc(100_000, 7) }],
    unsubscribe: { url: 'https://example.org/', mailto: null, oneClick: true },
  }
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random.next() * list.length)]!
}

const lines = ['', 'a', 'é', '\uFFFD', '😀', 'a\tb', '\u0085', 'a\u2028', '\u007f', 'À\u00a0']
const mailboxes = ['ada@example.org', 'a@b', 'jörg@example.org', 'a b@example.org', '@', '']

function anyText(random: Random): string {
  return pick(random, [...lines, 'x'.repeat(63), 'x'.repeat(64), 'y'.repeat(9000)])
}

/** Mostly with nothing to complain of. */
function anyRequest(random: Random): EmailRequested {
  const isGood = random.next() < 0.5
  const mailbox = (): string => (isGood ? mailboxes[0]! : pick(random, mailboxes))
  const line = (): string => (isGood ? pick(random, ['r', 'Grüße', '東京 😀']) : anyText(random))
  const list = (): string[] => Array.from({ length: Math.floor(random.next() * 3) }, mailbox)
  const optional = (some: () => string): string | null => (random.next() < 0.5 ? null : some())
  const time = (): number | null =>
    pick(random, [null, null, noonMs, noonMs + 1, -1, 2 ** 47, 2 ** 52])
  return emailRequested({
    requestId: line(),
    source: line(),
    to: isGood ? [mailbox()] : list(),
    cc: list(),
    bcc: list(),
    from: optional(mailbox),
    replyTo: optional(mailbox),
    subject: line(),
    text: isGood ? 'Text' : optional(() => anyText(random)),
    html: optional(() => anyText(random)),
    headers: isGood || random.next() < 0.8 ? {} : { [anyText(random)]: 'v', ['__proto__']: 'w' },
    attachments:
      isGood || random.next() < 0.7 ? [] : [{ ...attachment, filename: anyText(random) }],
    unsubscribe:
      isGood || random.next() < 0.7 ? null : { url: anyText(random), mailto: null, oneClick: true },
    priority: pick(random, ['HIGH', 'NORMAL', 'BULK']),
    notBefore: time(),
    expiresAt: time(),
    inDoubt: pick(random, ['DEFAULT', 'HOLD', 'RESEND']),
    callback: random.next() < 0.7 ? null : { context: { a: anyText(random) }, url: null },
    requestedAt: pick(random, [noonMs, noonMs, noonMs, 0, -1, noonMs + 25 * 3_600_000, 2 ** 51]),
  })
}

/** Often with a byte changed, taken out or put in. */
function damaged(random: Random, bytes: Buffer): Buffer {
  if (random.next() < 0.4) return bytes
  const at = Math.floor(random.next() * bytes.length)
  const byte = Buffer.from(random.next() < 0.3 ? [] : [Math.floor(random.next() * 256)])
  const skipped = random.next() < 0.6 ? 1 : 0
  return Buffer.concat([bytes.subarray(0, at), byte, bytes.subarray(at + skipped)])
}
