import { expect, test } from 'vitest'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, failed, prepared, sinkOf } from './mail-fixture.ts'

const forwarded = {
  filename: 'mail.eml',
  contentType: 'message/rfc822',
  content: Buffer.from('Subject: x\r\n\r\nGr\u00FC\u00DFe\r\n'),
}

const mailCommand = (relay: ScriptedSmtpServer): string =>
  relay.commands.find(line => line.startsWith('MAIL')) ?? ''

test('a message beyond the SIZE of the relay is refused before MAIL', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['SIZE 1000'] })
  await using sink = sinkOf(relay)

  const attempt = await failed(sink, attemptOf({ text: 'word '.repeat(400) }))

  expect(attempt).toMatchObject({ reached: false, unavailable: false, deferred: [] })
  expect(attempt.refused).toEqual([
    { target: 'ann@example.com', reply: expect.stringMatching(/^552 5\.3\.4 /) },
  ])
  expect(mailCommand(relay)).toBe('')
})

test('declares the size of the message, and BODY=8BITMIME where it needs it', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)

  const plain = await prepared(sink)
  await plain.perform(() => true)
  const plainCommand = mailCommand(relay)
  const eightBit = await prepared(sink, attemptOf({ requestId: 'r-2', attachments: [forwarded] }))
  await eightBit.perform(() => true)

  const bytes = Buffer.byteLength(relay.accepted[0]?.data ?? '')
  expect(plainCommand).toBe(`MAIL FROM:<sender@example.org> SIZE=${bytes}`)
  expect(relay.commands.filter(line => line.includes('BODY=8BITMIME'))).toHaveLength(1)
})

test('bytes beyond ASCII are refused where the relay takes none', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: [] })
  await using sink = sinkOf(relay)

  const attempt = await failed(sink, attemptOf({ attachments: [forwarded] }))

  expect(attempt.refused).toMatchObject([{ reply: expect.stringMatching(/^554 5\.6\.3 /) }])
})

test('an address beyond ASCII goes to a relay that offers SMTPUTF8', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['8BITMIME', 'SMTPUTF8'] })
  await using sink = sinkOf(relay)

  const attempt = await prepared(sink, attemptOf({ to: ['änn@example.com'] }))
  await attempt.perform(() => true)

  expect(mailCommand(relay)).toContain(' SMTPUTF8')
  expect(attempt.accepted).toEqual(['änn@example.com'])
  expect(relay.accepted[0]?.to).toEqual(['änn@example.com'])
})

test('a header beyond ASCII is announced where nobody in the envelope is', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['8BITMIME', 'SMTPUTF8'] })
  await using sink = sinkOf(relay)

  await prepared(sink, attemptOf({ replyTo: 'änn@example.com' }))

  expect(mailCommand(relay)).toContain(' SMTPUTF8 BODY=8BITMIME')
})

test('an address beyond ASCII is refused where the relay does not offer SMTPUTF8', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['8BITMIME'] })
  await using sink = sinkOf(relay)

  const attempt = await failed(sink, attemptOf({ to: ['änn@example.com'] }))

  expect(attempt.refused).toMatchObject([
    { target: 'änn@example.com', reply: expect.stringMatching(/^553 5\.6\.7 /) },
  ])
  expect(mailCommand(relay)).toBe('')
})

test('a blind copy beyond ASCII is refused alone', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['8BITMIME'] })
  await using sink = sinkOf(relay)

  const attempt = await prepared(sink, attemptOf({ bcc: ['änn@example.com'] }))

  expect(attempt.accepted).toEqual(['ann@example.com'])
  expect(attempt.refused.map(({ target }) => target)).toEqual(['änn@example.com'])
})

test('a domain beyond ASCII is written in ASCII, and its target keeps its name', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: [] })
  await using sink = sinkOf(relay)

  const attempt = await prepared(sink, attemptOf({ to: ['ann@bücher.example'] }))
  await attempt.perform(() => true)

  expect(attempt.accepted).toEqual(['ann@bücher.example'])
  expect(relay.accepted[0]?.to).toEqual(['ann@xn--bcher-kva.example'])
})

test('a request that would inject a header is refused without a connection', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)

  const attempt = await failed(sink, attemptOf({ subject: 'a\r\nBcc: b@example.com' }))

  expect(attempt).toMatchObject({ reached: false, unavailable: false })
  expect(attempt.refused).toMatchObject([{ reply: expect.stringMatching(/^554 5\.6\.0 /) }])
  expect(relay.sessions).toEqual([])
})
