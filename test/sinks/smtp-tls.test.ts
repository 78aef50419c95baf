import { createHash, X509Certificate } from 'node:crypto'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { resolveTls, tlsRefusal, type SmtpTlsOptions } from '../../src/sinks/smtp-tls.ts'
import { reply } from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { testCertificate } from '../support/smtp/test-certificate.ts'
import { attemptOf, failed, noSignal, prepared, sinkOf } from './mail-fixture.ts'

const offered = { ehlo: ['STARTTLS', 'AUTH PLAIN'] }
const stripped = { ehlo: ['AUTH PLAIN'] }
const pin = createHash('sha256')
  .update(new X509Certificate(testCertificate).publicKey.export({ type: 'spki', format: 'der' }))
  .digest('base64')
const otherPin = Buffer.alloc(32).toString('base64')

test.each<{ rule: string; tls: SmtpTlsOptions; script: object; overTls: boolean }>([
  { rule: 'opportunistic takes it where offered', tls: {}, script: offered, overTls: true },
  { rule: 'opportunistic goes on without', tls: {}, script: stripped, overTls: false },
  { rule: 'none takes none', tls: { policy: 'none' }, script: offered, overTls: false },
  {
    rule: 'required, vouched for by the CA',
    tls: { policy: 'required', ca: testCertificate },
    script: offered,
    overTls: true,
  },
  {
    rule: 'required, for a name',
    tls: { policy: 'required', ca: testCertificate, serverName: 'localhost' },
    script: offered,
    overTls: true,
  },
  {
    rule: 'pinned by key, whoever signed it',
    tls: { policy: 'pinned', pins: [otherPin, pin] },
    script: offered,
    overTls: true,
  },
  {
    rule: 'pinned by CA',
    tls: { policy: 'pinned', ca: testCertificate },
    script: offered,
    overTls: true,
  },
])('STARTTLS: $rule', async ({ tls, script, overTls }) => {
  await using relay = await ScriptedSmtpServer.start(script)
  await using sink = sinkOf(relay, { tls })

  const outcome = await (await prepared(sink)).perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(relay.sessions[0]?.overTls).toBe(overTls)
})

test.each<{ rule: string; tls: SmtpTlsOptions; script: object; says: RegExp }>([
  {
    rule: 'required, but it is not offered',
    tls: { policy: 'required', ca: testCertificate },
    script: { ...stripped, starttls: reply('502 5.5.2 unknown') },
    says: /refuses STARTTLS, and the TLS policy is required: nothing is sent in clear text: 502 5/,
  },
  {
    rule: 'pinned, but it is refused',
    tls: { policy: 'pinned', pins: [pin] },
    script: { ...offered, starttls: reply('454 4.7.0 not now') },
    says: /refuses STARTTLS, and the TLS policy is pinned.*454 4\.7\.0 not now/,
  },
  {
    rule: 'required, but nobody vouches for the certificate',
    tls: { policy: 'required' },
    script: offered,
    says: /certificate/,
  },
  {
    rule: 'required, but the certificate is for another',
    tls: { policy: 'required', ca: testCertificate, serverName: 'mx.example.com' },
    script: offered,
    says: /mx\.example\.com/,
  },
  {
    rule: 'pinned, but the key is another',
    tls: { policy: 'pinned', pins: [otherPin] },
    script: offered,
    says: /not the pinned one: its SHA-256 is [0-9a-f]{64}/,
  },
  {
    rule: 'pinned by key and CA, and the CA is right',
    tls: { policy: 'pinned', pins: [otherPin], ca: testCertificate },
    script: offered,
    says: /not the pinned one/,
  },
])('nothing is sent: $rule', async ({ tls, script, says }) => {
  await using relay = await ScriptedSmtpServer.start(script)
  await using sink = sinkOf(relay, { tls, auth: { user: 'ann', password: 'secret' } })

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false, refused: [], deferred: [] })
  expect(attempt.reply).toMatch(says)
  expect(relay.commands.filter(line => !/^(EHLO|STARTTLS)/.test(line))).toEqual([])
})

test('a relay that cannot do EHLO does not talk its way around required TLS', async () => {
  await using relay = await ScriptedSmtpServer.start({ ehlo: reply('502 5.5.2 unknown') })
  await using sink = sinkOf(relay, { tls: { policy: 'required' } })

  expect(await failed(sink)).toMatchObject({ unavailable: true, reached: false })
  expect(relay.commands).toEqual([expect.stringMatching(/^EHLO/)])
})

test('what is said in clear text after the 220 is not taken for said over TLS', async () => {
  await using relay = await ScriptedSmtpServer.start({
    ehlo: ['STARTTLS'],
    starttls: reply('220 2.0.0 ready', '250-relay.test', '250 SIZE 1'),
  })
  await using sink = sinkOf(relay, { tls: { policy: 'required', ca: testCertificate } })

  const attempt = await sink.prepare(attemptOf(), noSignal)

  // Believed, it would refuse every mail. Dropped or taken for a broken handshake are both right.
  expect(attempt.refused).toEqual([])
  expect(relay.sessions.every(({ overTls }) => overTls)).toBe(true)
})

test.each([
  { rule: 'by default', tls: {} },
  { rule: 'when required', tls: { policy: 'required' } as const },
])('smtps:// refuses a certificate that nobody vouches for, $rule', async ({ tls }) => {
  await using relay = await ScriptedSmtpServer.start({}, { secure: true })
  await using sink = sinkOf(relay, { url: `smtps://127.0.0.1:${relay.port}`, tls })

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ unavailable: true, reached: false })
  expect(attempt.reply).toMatch(/certificate/)
  expect(relay.commands).toEqual([])
})

test.each<{ rule: string; tls: SmtpTlsOptions }>([
  { rule: 'vouched for', tls: { ca: testCertificate } },
  { rule: 'pinned', tls: { policy: 'pinned', pins: [pin] } },
])('smtps:// takes a certificate that is $rule', async ({ tls }) => {
  await using relay = await ScriptedSmtpServer.start({}, { secure: true })
  await using sink = sinkOf(relay, { url: `smtps://127.0.0.1:${relay.port}`, tls })

  expect(await (await prepared(sink)).perform(() => true)).toMatchObject({ kind: 'done' })
})

test.each(['required', 'pinned'] as const)(
  '%s refuses a socket in clear text, whatever the client below has checked',
  policy => {
    const tls = resolveTls({ policy, ca: testCertificate }, false)

    expect(tlsRefusal(new Socket(), tls)).toMatch(/nothing is sent in clear text/)
    expect(tlsRefusal(new Socket(), resolveTls({}, false))).toBeNull()
  },
)
