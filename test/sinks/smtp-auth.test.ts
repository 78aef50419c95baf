import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { LogFields, Logger } from '../../src/log.ts'
import type { SmtpAuthOptions } from '../../src/sinks/smtp-auth.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import type { SmtpSinkOptions } from '../../src/sinks/smtp-options.ts'
import { reply } from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, failed, prepared, sinkOf } from './mail-fixture.ts'

const loginOver = ['PIPELINING', 'AUTH PLAIN LOGIN']

const sinkTo = (url: string, change: Partial<SmtpSinkOptions> = {}): SmtpSink =>
  new SmtpSink({ url, from: 'default@example.org', ...change })

const login = (port: number, scheme = 'smtp', host = '127.0.0.1'): string =>
  `${scheme}://ann:pass%2Fword@${host}:${port}`

const folder = mkdtempSync(join(tmpdir(), 'mailonce-auth-'))
afterAll(() => rmSync(folder, { recursive: true }))
const tokenFile = join(folder, 'token')

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const xoauth2 = (token: string): string => base64(`user=ann\x01auth=Bearer ${token}\x01\x01`)

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

test.each<{ rule: string; offers: string; auth: SmtpAuthOptions; first: string }>([
  {
    rule: 'PLAIN before LOGIN',
    offers: 'AUTH LOGIN PLAIN',
    auth: {},
    first: `AUTH PLAIN ${base64('\0ann\0pass/word')}`,
  },
  { rule: 'LOGIN where there is no PLAIN', offers: 'AUTH LOGIN', auth: {}, first: 'AUTH LOGIN' },
  {
    rule: 'LOGIN where it is configured',
    offers: 'AUTH PLAIN LOGIN',
    auth: { mechanism: 'LOGIN' },
    first: 'AUTH LOGIN',
  },
])('logs in by $rule', async ({ offers, auth, first }) => {
  const asked: string[] = []
  await using relay = await ScriptedSmtpServer.start({
    ehlo: [offers],
    auth: first === 'AUTH LOGIN' ? reply('334 VXNlcm5hbWU6') : reply('235 2.7.0 welcome'),
    authResponse: line => reply(asked.push(line) === 1 ? '334 UGFzc3dvcmQ6' : '235 2.7.0 welcome'),
  })
  await using sink = sinkTo(login(relay.port), { auth })

  await (await prepared(sink)).perform(() => true)

  expect(relay.commands.filter(line => line.startsWith('AUTH'))).toEqual([first])
  expect(asked).toEqual(first === 'AUTH LOGIN' ? [base64('ann'), base64('pass/word')] : [])
})

test.each([
  { offers: [], says: 'the relay offers no login, not PLAIN or LOGIN' },
  { offers: ['AUTH XOAUTH2 CRAM-MD5'], says: 'offers logins by CRAM-MD5, XOAUTH2 alone' },
])('a relay that offers $offers gets no password', async ({ offers, says }) => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: offers })
  await using sink = sinkTo(login(relay.port))

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false })
  expect(attempt.reply).toContain(says)
  expect(relay.commands.some(line => line.startsWith('AUTH'))).toBe(false)
})

test('the token of XOAUTH2 is read anew at each login', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['AUTH PLAIN XOAUTH2'] })
  await using sink = sinkOf(relay, { auth: { user: 'ann', tokenFile }, mailsPerConnectionMax: 1 })

  for (const token of ['first-token', 'second-token']) {
    writeFileSync(tokenFile, `${token}\n`)
    const attempt = await prepared(sink, attemptOf({ requestId: token }))
    await attempt.perform(() => true)
  }

  expect(relay.commands.filter(line => line.startsWith('AUTH'))).toEqual([
    `AUTH XOAUTH2 ${xoauth2('first-token')}`,
    `AUTH XOAUTH2 ${xoauth2('second-token')}`,
  ])
})

test('a token that the relay refuses is sent once, and never shown', async () => {
  writeFileSync(tokenFile, 'stale-token')
  await using relay = await ScriptedSmtpServer.start({
    ehlo: ['AUTH XOAUTH2'],
    auth: reply('334 eyJzdGF0dXMiOiI0MDEifQ=='),
    authResponse: () => reply('535 5.7.8 stale-token has expired'),
  })
  await using sink = sinkOf(relay, { auth: { user: 'ann', tokenFile } })

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false, refused: [], deferred: [] })
  expect(attempt.reply).toBe('535 5.7.8 *** has expired')
  expect(relay.commands.filter(line => line.startsWith('AUTH'))).toHaveLength(1)
})

test.each([
  { rule: 'is not there', text: null, says: /token for the relay cannot be read/ },
  { rule: 'is empty', text: '\n', says: /empty or not a token/ },
  { rule: 'would inject a command', text: 'a\r\nMAIL FROM:<x@y>', says: /empty or not a token/ },
])('a token file that $rule makes the relay unavailable', async ({ text, says }) => {
  const path = join(folder, 'another')
  if (text !== null) writeFileSync(path, text)
  await using relay = await ScriptedSmtpServer.start({ ehlo: ['AUTH XOAUTH2'] })
  await using sink = sinkOf(relay, { auth: { user: 'ann', tokenFile: path } })

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false })
  expect(attempt.reply).toMatch(says)
  expect(relay.commands).toEqual([expect.stringMatching(/^EHLO/)])
})

test.each(['535 5.7.8 wrong', '454 4.7.0 later', '534 5.7.9 too weak'])(
  '%s to a login is no word about a mail',
  async line => {
    await using relay = await ScriptedSmtpServer.start({ ehlo: loginOver, auth: reply(line) })
    await using sink = sinkTo(login(relay.port))

    expect(await failed(sink)).toMatchObject({
      unavailable: true,
      reached: false,
      refused: [],
      deferred: [],
      reply: line,
    })
  },
)
