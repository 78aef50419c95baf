import { expect, test } from 'vitest'
import type { EmailRequested } from '../../src/email/records.ts'
import { invalidities } from '../../src/email/validate.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const dayMs = 24 * 3_600_000
const file = { filename: 'a.pdf', contentType: 'application/pdf', content: Buffer.from('a') }

test.each<{ what: string; fields: Partial<EmailRequested> }>([
  { what: 'a plain one', fields: {} },
  { what: '128 characters of request id', fields: { requestId: 'x'.repeat(128) } },
  { what: '128 characters beyond 16 bits', fields: { requestId: '😀'.repeat(128) } },
  { what: 'only a blind copy', fields: { to: [], bcc: ['ada@example.org'] } },
  { what: 'html alone', fields: { text: null, html: '<p>' } },
  { what: 'an attachment alone', fields: { text: null, attachments: [file] } },
  { what: 'a subject beyond ASCII', fields: { subject: 'Grüße 😀' } },
  { what: 'an empty subject', fields: { subject: '' } },
  { what: 'line breaks in the body', fields: { text: 'a\r\n.\r\nb' } },
  {
    what: 'more headers',
    fields: { headers: { 'X-Campaign': 'a\tb', 'List-Id': 'ü', Comments: '' } },
  },
  {
    what: 'a content type with parameters',
    fields: { attachments: [{ ...file, contentType: 'text/plain; charset=utf-8' }] },
  },
  {
    what: 'a file name beyond ASCII',
    fields: { attachments: [{ ...file, filename: 'Rechnung März.pdf' }] },
  },
  { what: 'requestedAt a day ahead', fields: { requestedAt: noonMs + dayMs } },
  { what: 'an expiry in the past: that is EXPIRED', fields: { expiresAt: noonMs - 1 } },
  { what: 'notBefore before expiresAt', fields: { notBefore: noonMs, expiresAt: noonMs + 1 } },
  {
    what: 'a thousand recipients',
    fields: { to: Array.from({ length: 1000 }, (_, n) => `a${n}@example.org`) },
  },
])('valid: $what', ({ fields }) => {
  expect(invalidities(emailRequested(fields), noonMs)).toEqual([])
})

test.each<{ what: string; fields: Partial<EmailRequested>; detail: string }>([
  { what: 'no request id', fields: { requestId: '' }, detail: 'requestId is empty' },
  {
    what: 'a long request id',
    fields: { requestId: 'x'.repeat(129) },
    detail: 'requestId is longer than 128 characters',
  },
  {
    what: 'a long request id beyond 16 bits',
    fields: { requestId: '😀'.repeat(129) },
    detail: 'requestId is longer than 128 characters',
  },
  {
    what: 'a control in the request id',
    fields: { requestId: 'a\0b' },
    detail: 'requestId contains control characters',
  },
  { what: 'no source', fields: { source: '' }, detail: 'source is empty' },
  {
    what: 'a control in the source',
    fields: { source: 'a\0b' },
    detail: 'source contains control characters',
  },
  { what: 'nobody', fields: { to: [] }, detail: 'there is no recipient in to, cc or bcc' },
  {
    what: 'far too many',
    fields: { to: Array.from({ length: 1001 }, () => 'a@b.c') },
    detail: 'there are 1001 recipients, more than 1000',
  },
  { what: 'a bad to', fields: { to: ['ada'] }, detail: 'to: "ada" is not a bare address' },
  { what: 'a bad cc', fields: { cc: ['ada'] }, detail: 'cc: "ada" is not a bare address' },
  { what: 'a bad bcc', fields: { bcc: ['ada'] }, detail: 'bcc: "ada" is not a bare address' },
  { what: 'a bad from', fields: { from: 'ada' }, detail: 'from: "ada" is not a bare address' },
  {
    what: 'a bad replyTo',
    fields: { replyTo: 'a\r\nb' },
    detail: String.raw`replyTo: "a\r\nb" is not a bare address`,
  },
  {
    what: 'a line break in the subject',
    fields: { subject: 'a\r\nBcc: eve@example.org' },
    detail: 'subject contains control characters',
  },
  {
    what: 'a line separator in the subject',
    fields: { subject: 'a\u2028b' },
    detail: 'subject contains control characters',
  },
  { what: 'no body', fields: { text: null }, detail: 'there is no body: neither text nor html' },
  {
    what: 'an empty body',
    fields: { text: '', html: '' },
    detail: 'there is no body: neither text nor html',
  },
  {
    what: 'a space in a header name',
    fields: { headers: { 'X A': '1' } },
    detail: 'headers: "X A" is not a header name',
  },
  {
    what: 'a colon in a header name',
    fields: { headers: { 'X:': '1' } },
    detail: 'headers: "X:" is not a header name',
  },
  {
    what: 'no header name',
    fields: { headers: { '': '1' } },
    detail: 'headers: "" is not a header name',
  },
  {
    what: 'a long header name',
    fields: { headers: { ['x'.repeat(77)]: '1' } },
    detail: `headers: "${'x'.repeat(77)}" is not a header name`,
  },
  {
    what: 'a line break in a header',
    fields: { headers: { 'X-A': '1\r\nBcc: eve@example.org' } },
    detail: 'headers: the value of "X-A" contains line breaks or control characters',
  },
  {
    what: 'a NUL in a header',
    fields: { headers: { 'X-A': '\0' } },
    detail: 'headers: the value of "X-A" contains line breaks or control characters',
  },
  {
    what: 'a file without a name',
    fields: { attachments: [{ ...file, filename: '' }] },
    detail: 'attachments: "" is not a file name',
  },
  {
    what: 'a line break in a file name',
    fields: { attachments: [{ ...file, filename: 'a\nb' }] },
    detail: String.raw`attachments: "a\nb" is not a file name`,
  },
  {
    what: 'no content type',
    fields: { attachments: [{ ...file, contentType: 'pdf' }] },
    detail: 'attachments: "pdf" is not a content type',
  },
  {
    what: 'a line break in a content type',
    fields: { attachments: [{ ...file, contentType: 'a/b;\nX: y' }] },
    detail: String.raw`attachments: "a/b;\nX: y" is not a content type`,
  },
  {
    what: 'a multipart as an attachment',
    fields: { attachments: [{ ...file, contentType: 'Multipart/mixed' }] },
    detail: 'attachments: "Multipart/mixed" is not a content type',
  },
  {
    what: 'requestedAt far ahead',
    fields: { requestedAt: noonMs + dayMs + 1 },
    detail: 'requestedAt lies more than a day ahead',
  },
  {
    what: 'never a time to send it',
    fields: { notBefore: noonMs, expiresAt: noonMs },
    detail: 'notBefore is not before expiresAt',
  },
])('invalid: $what', ({ fields, detail }) => {
  expect(invalidities(emailRequested(fields), noonMs)).toEqual([detail])
})

test.each([
  'Message-ID',
  'DATE',
  'from',
  'Sender',
  'Reply-To',
  'To',
  'cc',
  'BCC',
  'Subject',
  'Return-Path',
  'Received',
  'DKIM-Signature',
  'MIME-Version',
  'Content-Type',
  'content-transfer-encoding',
  'Resent-To',
])('a request cannot set the header %s', name => {
  const problems = invalidities(emailRequested({ headers: { [name]: 'x' } }), noonMs)

  expect(problems).toEqual([`headers: ${name} belongs to the message itself`])
})

test('every problem is named, up to five', () => {
  const request = emailRequested({ to: ['a', 'b', 'c', 'd', 'e', 'f'], subject: '\n' })

  const problems = invalidities(request, noonMs)

  expect(problems).toHaveLength(6)
  expect(problems.at(-1)).toBe('and 2 more')
})

test('what is quoted is cut', () => {
  const problems = invalidities(emailRequested({ to: ['x'.repeat(5000)] }), noonMs)

  expect(problems.join().length).toBeLessThan(200)
})
