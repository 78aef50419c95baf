import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { contentHash, encodeContent } from '../../src/email/content-hash.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const attachment = { filename: 'a.txt', contentType: 'text/plain', content: Buffer.from('a') }

test.each<{ what: string; change: Partial<EmailRequested> }>([
  { what: 'to', change: { to: ['bob@example.org'] } },
  { what: 'cc', change: { cc: ['bob@example.org'] } },
  { what: 'bcc', change: { bcc: ['bob@example.org'] } },
  { what: 'from', change: { from: 'shop@example.org' } },
  { what: 'replyTo', change: { replyTo: 'shop@example.org' } },
  { what: 'subject', change: { subject: 'Another' } },
  { what: 'text', change: { text: 'Another' } },
  { what: 'html', change: { html: '<p>Another</p>' } },
  { what: 'headers', change: { headers: { 'X-Campaign': '1' } } },
  { what: 'attachments', change: { attachments: [attachment] } },
  {
    what: 'unsubscribe',
    change: { unsubscribe: { url: 'https://example.org/', mailto: null, oneClick: false } },
  },
])('$what makes the mail', ({ change }) => {
  expect(contentHash(emailRequested(change))).not.toEqual(contentHash(emailRequested()))
})

test.each<{ what: string; change: Partial<EmailRequested> }>([
  { what: 'requestId', change: { requestId: 'r-2' } },
  { what: 'source', change: { source: 'shop' } },
  { what: 'requestedAt', change: { requestedAt: noonMs + 1 } },
  { what: 'notBefore', change: { notBefore: noonMs } },
  { what: 'expiresAt', change: { expiresAt: noonMs } },
  { what: 'priority', change: { priority: 'HIGH' } },
  { what: 'inDoubt', change: { inDoubt: 'RESEND' } },
  { what: 'callback', change: { callback: { context: {}, url: null } } },
])('$what does not make the mail', ({ change }) => {
  expect(contentHash(emailRequested(change))).toEqual(contentHash(emailRequested()))
})

test('the order in which headers were written does not count', () => {
  const one = emailRequested({ headers: { 'X-B': 'b', 'X-A': 'a', '10': 'x', '9': 'y' } })
  const other = emailRequested({ headers: { '9': 'y', '10': 'x', 'X-A': 'a', 'X-B': 'b' } })

  expect(contentHash(one)).toEqual(contentHash(other))
})

test('the order of recipients counts: it is another mail', () => {
  const one = emailRequested({ to: ['ada@example.org', 'bob@example.org'] })
  const other = emailRequested({ to: ['bob@example.org', 'ada@example.org'] })

  expect(contentHash(one)).not.toEqual(contentHash(other))
})

test('the bytes that are hashed never change, because stores remember what they hashed to', () => {
  const request = emailRequested({
    to: ['a@b.c'],
    bcc: ['d@e.f'],
    from: 'g@h.i',
    subject: 's',
    text: 't',
    headers: { Y: '2', X: '1' },
    attachments: [{ filename: 'f', contentType: 'm/n', content: Buffer.from([7]) }],
  })

  const bytes = Buffer.concat([
    Buffer.from([2, 10]), // one block of one address, 5 bytes long
    Buffer.from('a@b.c'),
    Buffer.from([0, 0, 2, 10]), // the end of to, an empty cc, bcc
    Buffer.from('d@e.f'),
    Buffer.from([0, 2, 10]), // the end of bcc, the second branch of from
    Buffer.from('g@h.i'),
    Buffer.from([0, 2]), // no replyTo, the subject
    Buffer.from('s'),
    Buffer.from([2, 2]),
    Buffer.from('t'),
    Buffer.from([0, 4]), // no html, two headers in order
    Buffer.from([2, 0x58, 2, 0x31, 2, 0x59, 2, 0x32, 0]),
    Buffer.from([2, 2, 0x66, 6, 0x6d, 0x2f, 0x6e, 2, 7, 0]),
  ])
  expect(encodeContent(request)).toEqual(bytes)
  expect(contentHash(request)).toEqual(createHash('sha256').update(bytes).digest('hex'))
})

test('a mail of any size has a hash of its own', () => {
  const large = { ...attachment, content: Buffer.alloc(200_000, 1) }
  const requests = [[], [large], [{ ...large, content: Buffer.alloc(200_000, 2) }], [attachment]]

  const hashes = requests.map(attachments => contentHash(emailRequested({ attachments })))

  expect(new Set(hashes).size).toBe(4)
})

test('a field of a later version counts behind the rest, with its name, and only when it is set', () => {
  const without = Buffer.from(encodeContent(emailRequested()))
  const unsubscribe = { url: 'u', mailto: null, oneClick: true }

  const later = Buffer.concat([
    Buffer.from([22]),
    Buffer.from('unsubscribe'),
    Buffer.from([2, 2, 0x75, 0, 1]), // the second branch of url and its one byte, no mailto, true
  ])
  expect(encodeContent(emailRequested({ unsubscribe }))).toEqual(Buffer.concat([without, later]))
})
