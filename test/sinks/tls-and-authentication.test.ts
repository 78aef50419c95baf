import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import type { LogFields, Logger } from '../../src/log.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import type { SmtpSinkOptions } from '../../src/sinks/smtp-options.ts'
import { reply } from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { testCertificate } from '../support/smtp/test-certificate.ts'
import { failed, prepared, sinkOf } from './mail-fixture.ts'

const loginOver = ['PIPELINING', 'AUTH PLAIN LOGIN']

const sinkTo = (url: string, change: Partial<SmtpSinkOptions> = {}): SmtpSink =>
  new SmtpSink({ url, from: 'default@example.org', ...change })

const login = (port: number, scheme = 'smtp', host = '127.0.0.1'): string =>
  `${scheme}://ann:pass%2Fword@${host}:${port}`

test('takes STARTTLS where it is offered, whatever the certificate', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['STARTTLS'] })
  await using sink = sinkOf(relay)

  const outcome = await (await prepared(sink)).perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(relay.sessions[0]?.overTls).toBe(true)
})

test('smtps:// refuses a certificate that nobody vouches for', async () => {
  await using relay = await ScriptedSmtpServer.start({}, { secure: true })
  await using sink = sinkTo(`smtps://127.0.0.1:${relay.port}`)

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false })
  expect(attempt.reply).toMatch(/certificate/)
  expect(relay.commands).toEqual([])
})

test('smtps:// takes a certificate that is vouched for', async () => {
  await using relay = await ScriptedSmtpServer.start({}, { secure: true })
  await using sink = sinkTo(`smtps://127.0.0.1:${relay.port}`, { tls: { ca: testCertificate } })

  expect(await (await prepared(sink)).perform(() => true)).toMatchObject({ kind: 'done' })
})

test('logs in over TLS, and to loopback in clear text', async () => {
  await using clear = await ScriptedSmtpServer.start({ ehlo: loginOver })
  await using secured = await ScriptedSmtpServer.start({ ehlo: ['STARTTLS', ...loginOver] })

  for (const relay of [clear, secured]) {
    await using sink = sinkTo(login(relay.port))
    await (await prepared(sink)).perform(() => true)
  }

  const plain = Buffer.from('\0ann\0pass/word').toString('base64')
  expect(clear.commands).toContain(`AUTH PLAIN ${plain}`)
  expect(secured.commands).toContain(`AUTH PLAIN ${plain}`)
})

const outside = Object.values(networkInterfaces())
  .flatMap(addresses => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

test.runIf(outside !== undefined)(
  'never sends a password in clear text to another machine',
  async () => {
    await using relay = await ScriptedSmtpServer.start({ ehlo: loginOver }, { host: '0.0.0.0' })
    await using sink = sinkTo(login(relay.port, 'smtp', outside))

    const attempt = await failed(sink)

    expect(attempt).toMatchObject({ unavailable: true, reached: false })
    expect(attempt.reply).toMatch(/not sent in clear text/)
    expect(relay.commands.some(line => line.startsWith('AUTH'))).toBe(false)
  },
)

test.runIf(outside !== undefined)('sends it in clear text when told to', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: loginOver }, { host: '0.0.0.0' })
  await using sink = sinkTo(login(relay.port, 'smtp', outside), { insecureAuth: true })

  expect(await (await prepared(sink)).perform(() => true)).toMatchObject({ kind: 'done' })
})

test('a refused login makes the relay unavailable, and tells no secret', async () => {
  const plain = Buffer.from('\0ann\0pass/word').toString('base64')
  const lines: unknown[] = []
  const write = (fields: LogFields): void => void lines.push(fields)
  const log: Logger = { debug: write, info: write, warn: write, error: write }
  await using relay = await ScriptedSmtpServer.start({
    ehlo: loginOver,
    auth: reply(`535 5.7.8 pass/word and ${plain} are wrong`),
  })
  await using sink = sinkTo(login(relay.port), { log })

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false, refused: [], deferred: [] })
  expect(attempt.reply).toBe('535 5.7.8 *** and *** are wrong')
  expect(lines).not.toEqual([])
  expect(JSON.stringify(lines)).not.toMatch(/pass\/word|cGFzcy93b3Jk/)
})
