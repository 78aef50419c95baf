import { expect, test } from 'vitest'
import { bounceReportSerde } from '../../src/email/bounce-report.ts'
import { errorCodeOf } from '../../src/errors.ts'
import { bounceMessage, failedRecipient } from '../support/bounce-message.ts'

const serde = bounceReportSerde()

async function read(bytes: Buffer) {
  await serde.prepare(bytes)
  return serde.deserialize(bytes)
}

test('a report tells its envelope id, and of each recipient what became of it', async () => {
  const recipients = [
    failedRecipient,
    { 'Final-Recipient': 'rfc822;<bob@example.org>', Action: 'Delayed', Status: '4.4.1 (timeout)' },
  ]

  expect(await read(bounceMessage({ recipients }))).toEqual({
    envelopeId: 'envelope-1',
    messageId: '<original-1@example.com>',
    recipients: [
      {
        recipient: 'ada@example.org',
        action: 'failed',
        status: '5.1.1',
        diagnostic: '550 5.1.1 <ada@example.org>: Recipient address rejected: nobody',
      },
      { recipient: 'bob@example.org', action: 'delayed', status: '4.4.1', diagnostic: '' },
    ],
  })
})

test('where an address was forwarded, the one that the sender wrote counts', async () => {
  const recipients = [{ ...failedRecipient, 'Final-Recipient': 'rfc822;ada@elsewhere.example' }]

  expect((await read(bounceMessage({ recipients }))).recipients[0]?.recipient).toBe(
    'ada@example.org',
  )
})

test('an encoded report is decoded, and one of an international address is read', async () => {
  const recipient = {
    'Final-Recipient': 'utf-8; jürgen@bücher.example',
    Action: 'failed',
    Status: '5.1.1',
  }
  const plain = bounceMessage({ recipients: [recipient] }).toString()
  const [, part = ''] = /delivery-status\r\n\r\n([^]*?)\r\n--b/.exec(plain) ?? []
  const encoded = plain
    .replace(
      'message/delivery-status\r\n',
      'message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n',
    )
    .replace(part, Buffer.from(part).toString('base64'))

  expect((await read(Buffer.from(encoded))).recipients[0]?.recipient).toBe('jürgen@bücher.example')
})

test.each([
  { part: 'message/rfc822', id: '<original-1@example.com>' },
  { part: 'message/global-headers', id: '<original-1@example.com>' },
  { part: 'image/png', id: null },
])('the mail that it returns as $part has the Message-ID $id', async ({ part, id }) => {
  const bytes = bounceMessage().toString().replace('text/rfc822-headers', part)

  expect((await read(Buffer.from(bytes))).messageId).toBe(id)
})

test('what looks like a Message-ID in the text of the mail is none', async () => {
  const bytes = bounceMessage()
    .toString()
    .replace('text/rfc822-headers', 'message/rfc822')
    .replace(
      'Message-ID: <original-1@example.com>',
      'X-Other: 1\r\n\r\nMessage-ID: <forged@example.com>',
    )

  expect((await read(Buffer.from(bytes))).messageId).toBeNull()
})

const nested = (depth: number): string =>
  depth === 0
    ? bounceMessage().toString()
    : `Content-Type: multipart/mixed; boundary=b${depth}\r\n\r\n--b${depth}\r\n${nested(depth - 1)}\r\n--b${depth}--\r\n`

test.each([
  { what: 'nothing', bytes: '' },
  { what: 'noise', bytes: '\0\u0001\u0002'.repeat(1000) },
  { what: 'a mail', bytes: 'Subject: hello\r\n\r\nI am on holiday.\r\n' },
  {
    what: 'a report without recipients',
    bytes: bounceMessage({ recipients: [] }).toString(),
  },
  {
    what: 'a report that names no address',
    bytes: bounceMessage({ recipients: [{ Action: 'failed', Status: '5.1.1' }] }).toString(),
  },
  {
    what: 'a report with an action that nobody knows',
    bytes: bounceMessage({ recipients: [{ ...failedRecipient, Action: 'eaten' }] }).toString(),
  },
  {
    what: 'a report with a status that is none',
    bytes: bounceMessage({ recipients: [{ ...failedRecipient, Status: '550' }] }).toString(),
  },
  { what: 'a report deep inside a message', bytes: nested(40) },
  { what: 'a header without end', bytes: `Subject: ${'x'.repeat(600_000)}\r\n\r\n` },
  {
    what: 'a report inside a forwarded message',
    bytes: `Content-Type: message/rfc822\r\n\r\n${bounceMessage().toString()}`,
  },
])('$what is refused with a reason', async ({ bytes }) => {
  const error: unknown = await read(Buffer.from(bytes)).catch((reason: unknown) => reason)

  expect(errorCodeOf(error)).toBe('RECORD_UNDECODABLE')
})

test('what hosts say is one line of bounded length, whatever they say', async () => {
  const diagnostic = `smtp; 550 \u001b[2J${'no '.repeat(1000)}`
  const recipients = [{ ...failedRecipient, 'Diagnostic-Code': diagnostic }]

  const found = (await read(bounceMessage({ recipients }))).recipients[0]?.diagnostic

  expect(found).toMatch(/^550 \[2Jno no [no ]{100,}$/)
  expect(found?.length).toBeLessThanOrEqual(200)
})

test('no more than a thousand recipients of one report are looked at', async () => {
  const recipients = Array.from({ length: 5000 }, () => failedRecipient)

  expect((await read(bounceMessage({ recipients }))).recipients).toHaveLength(1000)
})
