import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { type ConfiguredRelay, configuredRelays, openRouter } from '../../src/cli/open-relays.ts'
import { type LogFields, silentLogger } from '../../src/log.ts'
import { MetricRegistry } from '../../src/metrics.ts'
import { seededRandom } from '../../src/random.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { attemptOf, noSignal, prepared } from '../sinks/mail-fixture.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { reply, replyAndHangUp, type SmtpScript } from '../support/smtp/smtp-script.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-relays-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'password'), 'secret\n')

async function relaysOf(
  yaml: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly ConfiguredRelay[]> {
  const config = join(folder, 'mailonce.yaml')
  writeFileSync(config, yaml.replaceAll('FOLDER', folder))
  const { values } = await resolveConfiguration(new Map([['config', config]]), environment)
  return configuredRelays(values)
}

test('without the section there is the one relay of --smtp', async () => {
  const relays = await relaysOf('smtp: smtp://relay.example.com:2525')

  expect(relays).toMatchObject([
    { name: 'relay.example.com:2525', address: 'relay.example.com:2525', connections: 20 },
  ])
})

test('each relay has its own keys, and what is left out its default', async () => {
  const relays = await relaysOf(`
relays:
  main:
    url: smtps://relay.example.com
    username: mailonce
    password-file: FOLDER/password
    connections: 5
    weight: 3
    tls: { policy: pinned, ca-file: FOLDER/password }
  resend:
    url: smtp://127.0.0.1:2525
    sender-domains: [Shop.example, bücher.example]
    tags: [newsletter]
    idempotency: { header: Resend-Idempotency-Key, ttl: 23h }
    formerly: ['10.0.0.1:25']
`)

  expect(relays[0]).toMatchObject({
    name: 'main',
    address: 'relay.example.com:465',
    connections: 5,
    weight: 3,
    idempotency: undefined,
    options: { auth: { user: 'mailonce', password: 'secret' }, tls: { policy: 'pinned' } },
  })
  expect(relays[1]).toMatchObject({
    name: 'resend',
    connections: 20,
    weight: 1,
    senderDomains: new Set(['shop.example', 'xn--bcher-kva.example']),
    tags: new Set(['newsletter']),
    formerly: new Set(['10.0.0.1:25']),
    idempotency: { header: 'Resend-Idempotency-Key', ttlMs: 23 * 3_600_000 },
  })
})

test('each of several relays signs, whatever else it adds', async () => {
  await using plain = await ScriptedSmtpServer.start()
  await using keyed = await ScriptedSmtpServer.start()
  const relays = await relaysOf(`
relays:
  plain: { url: '${plain.url}' }
  keyed: { url: '${keyed.url}', tags: [keyed], idempotency: { header: X-Key, ttl: 1h } }
`)
  const privateKey = generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  await using router = openRouter(relays, {
    from: 'default@example.org',
    dkim: { 'example.org': [{ selector: 's', privateKey }] },
    replyRules: [],
    clock: new ManualClock(),
    random: seededRandom(1),
    log: silentLogger,
    metrics: new MetricRegistry(),
    isAdaptive: true,
  })

  for (const headers of [{}, { 'X-Mailonce-Tag': 'keyed' }]) {
    const result = await router.prepare(attemptOf({ headers }), noSignal)
    if (result.kind === 'failed') throw new Error(result.reply)
    await result.perform(() => true)
  }

  const signature = /^DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed\/relaxed; d=example\.org;/m
  const mails = [plain, keyed].map(({ accepted }) => accepted.map(({ data }) => data))
  expect(mails).toEqual([[expect.stringMatching(signature)], [expect.stringMatching(signature)]])
})

test('every relay that offers DSN is told the envelope id, and smtp.dsn is about all of them', async () => {
  await using first = await ScriptedSmtpServer.start({ ehlo: ['DSN'] })
  await using second = await ScriptedSmtpServer.start({ ehlo: ['DSN'] })
  const relays = await relaysOf(`
smtp: { dsn: failure }
relays:
  one: { url: '${first.url}' }
  two: { url: '${second.url}', sender-domains: [shop.example] }
`)
  await using router = openRouter(relays, {
    from: 'mailonce@example.org',
    dkim: {},
    replyRules: [],
    envelopeIdOf: ({ requestId }) => `id-of-${requestId}`,
    clock: new ManualClock(),
    random: seededRandom(1),
    log: silentLogger,
    metrics: new MetricRegistry(),
    isAdaptive: true,
  })

  for (const from of ['a@example.org', 'b@shop.example'])
    (await prepared(router, attemptOf({ from }))).abandon()

  const said = [first, second].map(({ sessions }) =>
    sessions.flatMap(({ commands }) => commands.filter(line => line.startsWith('MAIL'))),
  )
  expect(said).toEqual([
    ['MAIL FROM:<a@example.org> RET=HDRS ENVID=id-of-r-1'],
    ['MAIL FROM:<b@shop.example> RET=HDRS ENVID=id-of-r-1'],
  ])
})

describe('what a relay says on the wire', () => {
  const flood = '421 4.7.0 too many messages'

  test.each<{ script: SmtpScript; says: string[]; circuit: number; isAdaptive?: boolean }>([
    { script: { greeting: replyAndHangUp(flood) }, says: ['throttled'], circuit: 2 },
    { script: { mail: replyAndHangUp(flood) }, says: ['throttled'], circuit: 2 },
    { script: { mail: reply('450 4.7.1 rate limit exceeded') }, says: ['throttled'], circuit: 0 },
    { script: { data: reply('451 4.7.1 slow down') }, says: ['throttled'], circuit: 0 },
    { script: { dot: replyAndHangUp(flood) }, says: ['throttled'], circuit: 2 },
    { script: { dot: replyAndHangUp(flood) }, says: [], circuit: 2, isAdaptive: false },
    { script: { dot: replyAndHangUp('421 4.3.2 shutting down') }, says: [], circuit: 2 },
    { script: { dot: reply('450 4.7.1 rate limit exceeded') }, says: [], circuit: 0 },
    { script: { rcpt: reply('450 4.7.1 rate limit exceeded') }, says: [], circuit: 0 },
    { script: { mail: reply('450 4.7.1 Greylisted') }, says: [], circuit: 0 },
  ])(
    '$script: $says, circuit $circuit, adaptive: $isAdaptive',
    async ({ script, says, circuit, isAdaptive = true }) => {
      await using relay = await ScriptedSmtpServer.start(script)
      const said: unknown[] = []
      const note = ({ event, relay: name }: LogFields): void => {
        if (name === 'one' && event !== 'relay-circuit') said.push(event)
      }
      const metrics = new MetricRegistry()
      await using router = openRouter(await relaysOf(`relays: { one: { url: '${relay.url}' } }`), {
        from: 'mailonce@example.org',
        dkim: {},
        replyRules: [],
        clock: new ManualClock(),
        random: seededRandom(1),
        log: { ...silentLogger, warn: note, info: note },
        metrics,
        isAdaptive,
      })

      const result = await router.prepare(attemptOf(), noSignal)
      if (result.kind === 'prepared') await result.perform(() => true)

      expect(said).toEqual(says)
      expect(metrics.render()).toContain(`mailonce_relay_circuit{relay="one"} ${circuit}`)
    },
  )
})

describe('refused at the start', () => {
  test.each([
    ['relays: {}', /relays: names no relay/],
    ['relays: { a: { weight: 1 } }', /relays\.a\.url is missing/],
    [
      'relays: { a: { url: smtp://x, weigth: 1 } }',
      /relays\.a\.weigth is no known key \(did you mean weight\?\)/,
    ],
    ['relays: { a: { url: smtp://x, tags: [x] } }', /add one without them/],
    ['relays: { a: { url: smtp://x }, b: { url: smtp://x:25 } }', /a and b are both x:25/],
    [
      'relays: { a: { url: smtp://x }, b: { url: smtp://y, formerly: ["x:25"] } }',
      /a and b are both x:25/,
    ],
    [
      'relays: { a: { url: smtp://x, weight: -1 } }',
      /relays\.a\.weight: "-1" is not a whole number/,
    ],
    [
      'relays: { a: { url: smtp://x, idempotency: { header: From, ttl: 1h } } }',
      /relays\.a\.idempotency\.header: "From" is not/,
    ],
    [
      'relays: { a: { url: smtp://x, idempotency: { header: X-Key } } }',
      /relays\.a\.idempotency\.ttl is missing/,
    ],
    [
      'relays: { a: { url: smtp://x, password-file: FOLDER/none } }',
      /relays\.a\.password-file: cannot be read/,
    ],
    [
      '{ relays: { a: { url: smtp://x } }, smtp: smtp://y }',
      /smtp\.url is about the one relay of --smtp, and .*relays gives several/,
    ],
    [
      '{ relays: { a: { url: smtp://x } }, smtp-connections: 5 }',
      /smtp-connections is about the one relay/,
    ],
  ])('%s', async (yaml, message) => {
    await expect(relaysOf(yaml)).rejects.toThrow(message)
  })

  test('a variable of the single relay beside the section', async () => {
    const both = relaysOf('relays: { a: { url: smtp://x } }', { MAILONCE_SMTP: 'smtp://y' })

    await expect(both).rejects.toThrow(/^MAILONCE_SMTP is about the one relay of --smtp/)
  })
})
