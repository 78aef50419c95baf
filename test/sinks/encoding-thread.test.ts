import { expect, test } from 'vitest'
import { EncodingThread } from '../../src/sinks/encoding-thread.ts'
import type { MailIdentity } from '../../src/sinks/composed-mail.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { mimeTreeEncoder } from '../../src/sinks/mime-tree-encoder.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, failed, firstSeenMs, mailRequest, noSignal, prepared } from './mail-fixture.ts'

const identity: MailIdentity = {
  from: 'a@example.org',
  messageId: '<m@example.org>',
  boundary: 'b',
  date: new Date(firstSeenMs),
}
const long = 'The quick brown fox jumps over the lazy dog. '.repeat(20_000)
const small = { filename: 'ä.bin', contentType: 'application/x-bin', content: Buffer.from([1, 2]) }

const shapes: readonly { shape: string; change: Partial<MailRequest> }[] = [
  { shape: 'a long text', change: { text: long } },
  { shape: 'a long text beyond ASCII', change: { text: `ü ${long}` } },
  { shape: 'long HTML with an attachment', change: { html: long, attachments: [small] } },
  {
    shape: 'a large attached message',
    change: {
      attachments: [
        {
          filename: 'm.eml',
          contentType: 'message/rfc822',
          content: Buffer.from(`a: b\n\n${long}`),
        },
      ],
    },
  },
]

test.each(shapes)('$shape has the same bytes on the thread', async ({ change }) => {
  await using thread = new EncodingThread()

  const bytes = await thread.encode(mailRequest(change), identity)

  expect(bytes.equals(await mimeTreeEncoder(mailRequest(change), identity))).toBe(true)
})

test.each(shapes)('$shape takes little of the main thread', async ({ change }) => {
  await using thread = new EncodingThread()
  const many = (text: string | null | undefined): string | null => text?.repeat(8) ?? null
  const request = mailRequest({ ...change, text: many(change.text), html: many(change.html) })
  await thread.encode(request, identity)

  const before = { own: process.threadCpuUsage(), all: process.cpuUsage() }
  await thread.encode(request, identity)
  const own = process.threadCpuUsage(before.own)
  const all = process.cpuUsage(before.all)

  expect(own.user + own.system).toBeLessThan((all.user + all.system) / 2)
})

test('several at once come back each to its own', async () => {
  await using thread = new EncodingThread()
  const texts = Array.from({ length: 5 }, (_, at) => `${at} ${long}`)

  const bytes = await Promise.all(
    texts.map(async text => thread.encode(mailRequest({ text }), identity)),
  )

  expect(bytes.map(each => / (\d) The|(\d) The/.exec(each.toString())?.[0]?.trim())).toEqual(
    texts.map((_, at) => `${at} The`),
  )
})

test('what was asked for when it closes is not waited for', async () => {
  const thread = new EncodingThread()
  const ask = (): Promise<unknown> =>
    Promise.resolve(thread.encode(mailRequest({ text: long }), identity)).catch(
      (error: unknown) => error,
    )
  const asked = ask()

  await thread.close()

  expect(await asked).toMatchObject({ code: 'INTERNAL' })
  expect(await ask()).toMatchObject({ code: 'INTERNAL' })
})

test('a thread that died costs a try, not the mail', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using thread = new EncodingThread()
  const uncloneable = mailRequest({ text: long, headers: { 'X-A': (() => 'x') as never } })

  await expect(thread.encode(uncloneable, identity)).rejects.toThrow(/could not be cloned/)

  const sink = new SmtpSink({ url: relay.url, from: 'default@example.org' })
  const trying = sink.prepare(attemptOf({ text: long }), noSignal)
  await sink.close()
  expect(await trying).toMatchObject({ kind: 'failed', reached: false, refused: [], deferred: [] })
})

test('the sink sends large mails like others', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = new SmtpSink({ url: relay.url, from: 'default@example.org' })

  const outcome = await (await prepared(sink, attemptOf({ text: long }))).perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(relay.accepted[0]?.data).toContain('The quick brown fox')
  await sink.close()
  expect(await failed(sink)).toMatchObject({ reply: 'the sink is closed' })
})
