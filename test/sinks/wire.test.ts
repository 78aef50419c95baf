import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { composeMail } from '../../src/sinks/compose-mail.ts'
import { openLink } from '../../src/sinks/open-link.ts'
import { resolveSmtpOptions } from '../../src/sinks/smtp-options.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, firstSeenMs, mailRequest, noSignal, prepared, sinkOf } from './mail-fixture.ts'

test('lines that begin with a dot arrive as they were, and none of them ends the mail', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const text = '.\n..\n.hidden\nend\n.\n'

  const attempt = await prepared(sink, attemptOf({ text }))
  await attempt.perform(() => true)

  const { bytes } = await composeMail(mailRequest({ text }), firstSeenMs, 'default@example.org')
  expect(relay.accepted.map(({ data }) => data)).toEqual([bytes.toString()])
  expect(relay.sessions[0]?.wireBody).toContain('\r\n..\r\n...\r\n..hidden\r\n')
})

test('every byte of a large mail is with the kernel before the gate is asked', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const content = Buffer.alloc(3_000_000, 'mailonce ')
  const attachments = [{ filename: 'a.bin', contentType: 'application/octet-stream', content }]

  const attempt = await prepared(sink, attemptOf({ attachments }))
  const { bytes } = await composeMail(mailRequest({ attachments }), firstSeenMs, 'a@example.org')
  await relay.until(({ sessions }) => sessions[0]?.wireBody.length === bytes.length)
  const outcome = await attempt.perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(relay.accepted[0]?.data).toBe(bytes.toString())
})

test.each([{ ehlo: [] }, { ehlo: ['STARTTLS'] }])(
  'the dot is written before perform returns: $ehlo',
  async ({ ehlo }) => {
    await using relay = await ScriptedSmtpServer.start({ ehlo })
    await using sink = sinkOf(relay)
    const attempt = await prepared(sink)
    const writes = vi.spyOn(Socket.prototype, 'write')
    let writesAtCheck = -1

    const outcome = attempt.perform(() => {
      writesAtCheck = writes.mock.calls.length
      return true
    })
    const written = writes.mock.calls.map(([chunk]) => String(chunk))
    writes.mockRestore()

    expect(writesAtCheck).toBe(0)
    expect(written).toEqual(['.\r\n'])
    expect(await outcome).toMatchObject({ kind: 'done' })
  },
)

test('the hidden parts of nodemailer that the link reads are there', async () => {
  await using relay = await ScriptedSmtpServer.start({
    ehlo: ['SIZE 4711', '8BITMIME', 'STARTTLS'],
  })

  const link = await openLink(
    resolveSmtpOptions({ url: relay.url, from: 'a@example.org' }),
    noSignal,
  )

  expect({ size: link.sizeMax, tls: link.overTls, loopback: link.toLoopback }).toEqual({
    size: 4711,
    tls: true,
    loopback: true,
  })
  expect([link.offers('8BITMIME'), link.offers('SMTPUTF8')]).toEqual([true, false])
  expect(link.ended).toBeNull()
  link.drop()
  expect(link.ended).not.toBeNull()
})

test('a process that is killed while it holds a mail has not sent it', async () => {
  await using relay = await ScriptedSmtpServer.start()
  const program = fileURLToPath(new URL('held-process.ts', import.meta.url))
  const child = spawn(process.execPath, [program, relay.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(createInterface(child.stdout), 'line')

  child.kill('SIGKILL')
  await relay.until(({ openConnections }) => openConnections === 0)

  expect(relay.sessions[0]?.wireBody).toContain('Hello Ann.')
  expect(relay.accepted).toEqual([])
})
