import { createHash } from 'node:crypto'
import PostalMime from 'postal-mime'
import { expect, test } from 'vitest'
import { composeMail } from '../../src/sinks/compose-mail.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { firstSeenMs, mailRequest } from './mail-fixture.ts'

const compose = async (change: Partial<MailRequest> = {}, seenMs = firstSeenMs) =>
  composeMail(mailRequest(change), seenMs, 'default@example.org')

const textOf = async (change: Partial<MailRequest> = {}): Promise<string> =>
  (await compose(change)).bytes.toString('latin1')

const attachment = {
  filename: 'a.bin',
  contentType: 'application/pdf',
  content: Buffer.from([0, 1, 255]),
}

const shapes: readonly { shape: string; change: Partial<MailRequest> }[] = [
  { shape: 'plain text', change: {} },
  { shape: 'text and HTML', change: { html: '<p>Hello</p>' } },
  { shape: 'an attachment', change: { attachments: [attachment] } },
  {
    shape: 'an attached message',
    change: {
      attachments: [
        { ...attachment, contentType: 'message/rfc822', content: Buffer.from('a: b\r\n\r\nc') },
      ],
    },
  },
]

test.each(shapes)('$shape: the bytes of every try are the same', async ({ change }) => {
  const first = await compose(change)
  const second = await compose(change)

  expect(second.bytes.equals(first.bytes)).toBe(true)
  expect(first.contentHash).toBe(createHash('sha256').update(first.bytes).digest('hex'))
})

test.each(shapes)('$shape: nothing but CRLF ends a line', async ({ change }) => {
  const text = await textOf({ ...change, text: 'one\ntwo\rthree\r\nfour' })

  expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  expect(text.endsWith('\r\n')).toBe(true)
})

test('the Message-ID is the one of the contract, and the date is when the request was first seen', async () => {
  const { messageId, bytes } = await compose({ source: 'shop', requestId: 'r-1' })
  const digest = createHash('sha256').update(`shop\0r-1\0${firstSeenMs}`).digest()

  const parsed = await PostalMime.parse(bytes)

  expect(messageId).toBe(`<${plainBase32(digest)}@example.org>`)
  expect(parsed.messageId).toBe(messageId)
  expect(Date.parse(parsed.date ?? '')).toBe(firstSeenMs)
})

test('another first-seen time makes another mail', async () => {
  const first = await compose()
  const later = await compose({}, firstSeenMs + 1)

  expect(later.messageId).not.toBe(first.messageId)
})

test('the configured sender stands in where the request names none', async () => {
  const { from, bytes, messageId } = await compose({ from: null })

  expect(from).toBe('default@example.org')
  expect((await PostalMime.parse(bytes)).from?.address).toBe('default@example.org')
  expect(messageId).toMatch(/@example\.org>$/)
})

test('blind copies appear nowhere in the message', async () => {
  const text = await textOf({ bcc: ['secret@example.net'] })

  expect(text.toLowerCase()).not.toContain('bcc')
  expect(text).not.toContain('secret@example.net')
})

test('carries everything the request says', async () => {
  const { bytes } = await compose({
    to: ['ann@example.com', '"a, b"@example.com'],
    cc: ['cc@example.com'],
    replyTo: 'reply@example.com',
    subject: 'Grüße 🎉',
    text: 'plain ü',
    html: '<b>bold ü</b>',
    headers: {
      'X-Order': '17',
      key: 'Sender',
      value: 'x@example.net',
      'List-Unsubscribe': '<mailto:u@example.org>',
    },
    attachments: [attachment],
  })

  const parsed = await PostalMime.parse(bytes)

  expect(parsed.to?.map(({ address }) => address)).toEqual([
    'ann@example.com',
    '"a, b"@example.com',
  ])
  expect(parsed.cc?.map(({ address }) => address)).toEqual(['cc@example.com'])
  expect(parsed.replyTo?.map(({ address }) => address)).toEqual(['reply@example.com'])
  expect(parsed.subject).toBe('Grüße 🎉')
  expect(parsed.text?.trim()).toBe('plain ü')
  expect(parsed.html?.trim()).toBe('<b>bold ü</b>')
  expect(parsed.headers.filter(({ key }) => key === 'x-order')).toMatchObject([{ value: '17' }])
  expect(parsed.headers.filter(({ key }) => key === 'key')).toMatchObject([{ value: 'Sender' }])
  expect(parsed.attachments[0]).toMatchObject({ filename: 'a.bin', mimeType: 'application/pdf' })
  expect(new Uint8Array(parsed.attachments[0]?.content as ArrayBuffer)).toEqual(
    new Uint8Array([0, 1, 255]),
  )
})

test('folds long headers, and no line is longer than 998 octets', async () => {
  const to = Array.from({ length: 60 }, (_, index) => `person-${index}@department.example.com`)
  const text = await textOf({
    to,
    subject: 'word '.repeat(300),
    headers: { 'X-Long': 'ü'.repeat(500) },
    text: 'y'.repeat(5000),
  })

  const lengths = text.split('\r\n').map(line => line.length)
  const parsed = await PostalMime.parse(text)

  expect(Math.max(...lengths)).toBeLessThanOrEqual(998)
  expect(parsed.to).toHaveLength(60)
  expect(parsed.text?.trim()).toBe('y'.repeat(5000))
})

test.each<{ rule: string; change: Partial<MailRequest> }>([
  { rule: 'a line break in the subject', change: { subject: 'a\r\nBcc: x@example.com' } },
  { rule: 'a line break in an address', change: { to: ['a@example.com\r\nX: y'] } },
  { rule: 'what folding takes for a space', change: { to: ['a\ufeffBcc: b@example.com'] } },
  { rule: 'an angle bracket in an address', change: { replyTo: 'a<b@example.com' } },
  { rule: 'a line break in a header value', change: { headers: { 'X-A': 'a\nBcc: b' } } },
  { rule: 'a null in a header value', change: { headers: { 'X-A': 'a\0' } } },
  { rule: 'a colon in a header name', change: { headers: { 'From: x@example.com (': ')' } } },
  { rule: 'a header that the message owns', change: { headers: { 'mEssage-iD': '<a@b>' } } },
  { rule: 'a MIME header', change: { headers: { 'Content-Type': 'text/html' } } },
  {
    rule: 'a line break in a file name',
    change: { attachments: [{ ...attachment, filename: 'a\r\nb' }] },
  },
  {
    rule: 'a line break in a content type',
    change: { attachments: [{ ...attachment, contentType: 'a/b\r\nX: y' }] },
  },
])('refuses $rule', async ({ change }) => {
  await expect(compose(change)).rejects.toMatchObject({ code: 'RECORD_UNDECODABLE' })
})

test('a multipart type does not swallow the content of an attachment', async () => {
  const { bytes } = await compose({
    attachments: [{ ...attachment, contentType: 'multipart/mixed; boundary=x' }],
  })

  const [parsed] = (await PostalMime.parse(bytes)).attachments

  expect(parsed).toMatchObject({ mimeType: 'application/octet-stream' })
  expect(new Uint8Array(parsed?.content as ArrayBuffer)).toHaveLength(3)
})

test.each([
  { address: 'ann@example.com', needed: false },
  { address: 'ann@bücher.example', needed: false },
  { address: 'änn@example.com', needed: true },
])('$address needs SMTPUTF8: $needed', async ({ address, needed }) => {
  expect((await compose({ to: [address] })).smtpUtf8).toBe(needed)
})

/** Straight from the definition: five bits a letter. */
function plainBase32(bytes: Buffer): string {
  const bits = [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('')
  const groups = bits.match(/.{1,5}/g) ?? []
  return groups
    .map(group =>
      'abcdefghijklmnopqrstuvwxyz234567'.charAt(Number.parseInt(group.padEnd(5, '0'), 2)),
    )
    .join('')
}
