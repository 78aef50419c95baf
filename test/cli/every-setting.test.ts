import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { Secret } from '../../src/cli/secret.ts'
import {
  environmentName,
  type Setting,
  type SettingName,
  settings,
} from '../../src/cli/settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Of each setting a value that is not its default, as it stands in the file. */
const examples: Readonly<Record<Exclude<SettingName, 'config'>, unknown>> = {
  kafka: ['kafka-1:9093', 'kafka-2:9093'],
  schemaRegistry: 'https://registry.example.com',
  smtp: 'smtps://relay.example.com',
  applicationId: 'shop',
  stateDir: '/var/lib/mailonce',
  http: '0.0.0.0:8081',
  advertisedHttp: 'mailonce-1.example.com:8081',
  from: 'noreply@example.com',
  inDoubt: 'resend',
  dedupWindow: '30d',
  outcomesKept: '5d',
  retry: '1m,5m',
  retryClasses: [{ text: 'blocked using', class: 'temporary' }],
  smtpRecipientsMax: 50,
  smtpConnections: 7,
  smtpInsecureAuth: true,
  smtpUsername: 'mailonce',
  smtpPassword: 'secret',
  smtpPasswordFile: '/run/secrets/relay',
  smtpTokenFile: '/run/secrets/token',
  smtpAuthMechanism: 'LOGIN',
  dkim: { 'example.com': [{ selector: 's1', 'key-file': '/run/secrets/dkim.pem' }] },
  smtpTlsPolicy: 'required',
  smtpTlsCaFile: '/etc/mailonce/ca.pem',
  smtpTlsPins: [`sha256/${'A'.repeat(43)}=`],
  smtpTlsServerName: 'relay.example.com',
  limits: { relay: { 'per-second': 10 }, domain: { connections: 3 } },
  dryRun: true,
  redirectTo: 'team@example.com',
  relays: { main: { url: 'smtp://relay:25', 'per-second': 5, tags: ['x'] } },
  smtpDsn: 'off',
  bouncesKey: 'a key of bounces that is long enough',
  bouncesKeyFile: '/run/secrets/bounces',
  lmtp: '127.0.0.1:2424',
  bouncesByMessageId: true,
  bouncesSuppress: 'none',
  instanceId: 'one',
  staticMembership: true,
  guarantee: 'at-least-once',
  storeMemory: '1GB',
  threads: 2,
  standbys: 1,
  sessionTimeout: '20s',
  shutdownTimeout: '1m',
  logLevel: 'debug',
  kafkaTls: true,
  kafkaTlsCaFile: '/etc/mailonce/kafka-ca.pem',
  kafkaTlsCertFile: '/etc/mailonce/cert.pem',
  kafkaTlsKeyFile: '/etc/mailonce/key.pem',
  kafkaSaslMechanism: 'SCRAM-SHA-512',
  kafkaSaslUsername: 'mailonce',
  kafkaSaslPassword: 'secret',
  kafkaSaslPasswordFile: '/run/secrets/kafka',
  webhooks: { keys: [{ file: '/run/secrets/webhook' }], timeout: '5s' },
}

/** What stands in flags and variables: lists with commas, sections as JSON. */
function textOf({ parser }: Setting, value: unknown): string {
  if (parser.structured) return JSON.stringify(value)
  return Array.isArray(value) ? value.join(',') : String(value)
}

function fileWith({ path }: Setting, value: unknown): string {
  const nested = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  const file = join(folder, `${path}.yaml`)
  writeFileSync(file, stringify(nested))
  return file
}

async function read(
  name: SettingName,
  flags: ReadonlyMap<SettingName, string>,
  environment: Readonly<Record<string, string>>,
): Promise<unknown> {
  const value: unknown = (await resolveConfiguration(flags, environment)).values[name]
  return value instanceof Secret ? value.reveal() : value
}

describe.each(Object.entries(examples))('%s', (key, example) => {
  const name = key as SettingName
  const setting: Setting = settings[name]
  const text = textOf(setting, example)

  test('is the same in every place where it may stand, and not its default', async () => {
    const byDefault = await read(name, new Map(), {})
    const inFile = await read(name, new Map([['config', fileWith(setting, example)]]), {})
    const inVariable = await read(name, new Map(), { [environmentName(setting)]: text })
    const asFlag =
      setting.flag === undefined ? inFile : await read(name, new Map([[name, text]]), {})

    expect(inFile).not.toEqual(byDefault)
    expect(inVariable).toEqual(inFile)
    expect(asFlag).toEqual(inFile)
  })
})
