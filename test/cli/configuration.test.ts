import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { resolveConfiguration, type Configuration } from '../../src/cli/configuration.ts'
import type { SettingName } from '../../src/cli/settings.ts'
import { StreamsError } from '../../src/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-configuration-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0

function fileOf(yaml: string): string {
  files += 1
  const path = join(folder, `${files}.yaml`)
  writeFileSync(path, yaml)
  return path
}

async function resolve(given: {
  flags?: Partial<Record<SettingName, string>>
  environment?: Record<string, string>
  yaml?: string
}): Promise<Configuration> {
  const flags = new Map(Object.entries(given.flags ?? {})) as Map<SettingName, string>
  if (given.yaml !== undefined) flags.set('config', fileOf(given.yaml))
  return (await resolveConfiguration(flags, given.environment ?? {})).values
}

async function refusal(given: Parameters<typeof resolve>[0]): Promise<string> {
  const error: unknown = await resolve(given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof StreamsError)) throw new Error('nothing was refused')
  expect(error.code).toBe('CONFIGURATION_INVALID')
  return error.message.replaceAll(folder, 'FOLDER').replaceAll(/\d+\.yaml/g, 'FILE')
}

test('the defaults are those of the contract', async () => {
  const values = await resolve({})

  expect(values.kafka).toEqual([{ host: '127.0.0.1', port: 9092 }])
  expect(values.schemaRegistry.reveal()).toBe('http://127.0.0.1:8081')
  expect(values.smtp.reveal()).toBe('smtp://127.0.0.1:1025')
  expect(values).toMatchObject({
    applicationId: 'mailonce',
    stateDir: './state',
    http: { host: '127.0.0.1', port: 8080 },
    from: 'mailonce@localhost',
    inDoubt: 'hold',
    dedupWindow: 7 * 24 * 3_600_000,
    smtpConnections: 20,
    smtpInsecureAuth: false,
    instanceId: undefined,
    storeMemory: 512_000_000,
    standbys: 0,
    staticMembership: false,
    guarantee: 'exactly-once',
    sessionTimeout: undefined,
    shutdownTimeout: 30_000,
    logLevel: 'info',
  })
})

test('the default retry schedule has two tries in the first hour and gives up after four days', async () => {
  const { retry } = await resolve({})

  expect(retry.slice(0, 4)).toEqual([30 * 60_000, 30 * 60_000, 2 * 3_600_000, 3 * 3_600_000])
  expect(retry.reduce((sum, delayMs) => sum + delayMs, 0)).toBe(4 * 24 * 3_600_000)
})

test.each([
  { rule: 'a flag wins over everything', flag: '1s', variable: '2s', file: '3s', windowMs: 1000 },
  {
    rule: 'the environment wins over the file',
    flag: undefined,
    variable: '2s',
    file: '3s',
    windowMs: 2000,
  },
  {
    rule: 'the file wins over the default',
    flag: undefined,
    variable: undefined,
    file: '3s',
    windowMs: 3000,
  },
  {
    rule: 'an empty variable counts as unset',
    flag: undefined,
    variable: '',
    file: '3s',
    windowMs: 3000,
  },
])('$rule', async ({ flag, variable, file, windowMs }) => {
  const values = await resolve({
    flags: flag === undefined ? {} : { dedupWindow: flag },
    environment: variable === undefined ? {} : { MAILONCE_DEDUP_WINDOW: variable },
    yaml: `dedup-window: ${file}`,
  })

  expect(values.dedupWindow).toBe(windowMs)
})

test('the file may come from the environment, in plain keys, lists or sections, in camel case too', async () => {
  const path = fileOf(
    'kafka: [a:1, "b:2"]\nsmtp:\n  url: smtps://relay\ndedupWindow: 2d\nsmtp-connections: 7\n',
  )

  const values = await resolve({ environment: { MAILONCE_CONFIG: path } })

  expect(values.kafka).toEqual([
    { host: 'a', port: 1 },
    { host: 'b', port: 2 },
  ])
  expect(values.smtp.reveal()).toBe('smtps://relay')
  expect(values.dedupWindow).toBe(2 * 24 * 3_600_000)
  expect(values.smtpConnections).toBe(7)
})

test('an empty file is a file', async () => {
  expect((await resolve({ yaml: '# nothing yet\n' })).applicationId).toBe('mailonce')
})

test.each<{ setting: SettingName; text: string; value: unknown }>([
  { setting: 'dedupWindow', text: '1500ms', value: 1500 },
  { setting: 'retry', text: '30s,2m, 10m', value: [30_000, 120_000, 600_000] },
  { setting: 'retry', text: '1sx3,1m', value: [1000, 1000, 1000, 60_000] },
  { setting: 'retry', text: 'none', value: [] },
  {
    setting: 'kafka',
    text: '[::1]:9092,k-2.example:19092',
    value: [
      { host: '::1', port: 9092 },
      { host: 'k-2.example', port: 19_092 },
    ],
  },
  { setting: 'http', text: '0.0.0.0:0', value: { host: '0.0.0.0', port: 0 } },
  { setting: 'inDoubt', text: 'resend', value: 'resend' },
  { setting: 'staticMembership', text: 'true', value: true },
  { setting: 'guarantee', text: 'at-least-once', value: 'at-least-once' },
])('$setting reads $text', async ({ setting, text, value }) => {
  expect((await resolve({ flags: { [setting]: text } }))[setting]).toEqual(value)
})

test.each<{ setting: SettingName; text: string; says: string }>([
  {
    setting: 'dedupWindow',
    text: '7',
    says: '--dedup-window: "7" is not a duration such as 500ms, 30s, 10m, 12h or 7d, from 1s to 3650d',
  },
  { setting: 'dedupWindow', text: '-1d', says: '--dedup-window: "-1d" is not a duration' },
  { setting: 'dedupWindow', text: '0s', says: 'from 1s' },
  { setting: 'retry', text: '30s,,2m', says: '--retry: "30s,,2m" is not a list' },
  { setting: 'retry', text: '1sx1001', says: 'at most 1000' },
  { setting: 'retry', text: '', says: '--retry: "" is not a list' },
  { setting: 'kafka', text: 'localhost', says: '--kafka: "localhost" is not a list of HOST:PORT' },
  { setting: 'kafka', text: 'a:1,,b:2', says: 'is not a list of HOST:PORT' },
  { setting: 'kafka', text: 'a:0', says: 'is not a list of HOST:PORT' },
  { setting: 'http', text: '127.0.0.1:65536', says: 'with a port from 0 to 65535' },
  {
    setting: 'schemaRegistry',
    text: 'ftp://x',
    says: 'is not a URL such as http://HOST:PORT or https://HOST:PORT',
  },
  {
    setting: 'smtp',
    text: 'relay:25',
    says: '--smtp: "relay:25" is not a URL such as smtp://HOST:PORT',
  },
  { setting: 'from', text: 'Me <me@example.com>', says: 'is not a bare address' },
  {
    setting: 'applicationId',
    text: 'a/b',
    says: '--application-id: "a/b" is not 1 to 100 letters',
  },
  { setting: 'inDoubt', text: 'maybe', says: '--in-doubt: "maybe" is not hold or resend' },
  {
    setting: 'smtpConnections',
    text: '0',
    says: '--smtp-connections: "0" is not a whole number from 1 to 1000',
  },
  { setting: 'smtpConnections', text: '1e3', says: 'whole number' },
  { setting: 'logLevel', text: 'loud', says: 'is not trace or debug or info' },
  { setting: 'config', text: '/does/not/exist', says: '/does/not/exist: cannot be read' },
])('$setting refuses "$text"', async ({ setting, text, says }) => {
  expect(await refusal({ flags: { [setting]: text } })).toContain(says)
})

test('a wrong value names the variable it stands in', async () => {
  expect(await refusal({ environment: { MAILONCE_SESSION_TIMEOUT: 'soon' } })).toMatch(
    /^MAILONCE_SESSION_TIMEOUT: "soon" is not a duration/,
  )
})

test.each([
  {
    rule: 'a wrong value names its file and path',
    yaml: 'retry: soon',
    says: 'FOLDER/FILE: retry: "soon" is not a list',
  },
  {
    rule: 'an unknown key',
    yaml: 'dedupp-window: 1d',
    says: 'FOLDER/FILE: dedupp-window is no known key (did you mean dedup-window?); allowed are kafka, schema-registry',
  },
  {
    rule: 'an unknown key in a section',
    yaml: 'kafka:\n  sasl:\n    user: me',
    says: 'kafka.sasl.user is no known key; allowed are mechanism, username, password, password-file',
  },
  {
    rule: 'a section where a value belongs',
    yaml: 'retry:\n  first: 1s',
    says: 'retry has to be a plain value',
  },
  {
    rule: 'a value where a section belongs',
    yaml: 'kafka:\n  sasl: PLAIN',
    says: 'kafka.sasl has to hold keys; allowed are mechanism',
  },
  {
    rule: 'the same key in two spellings',
    yaml: 'dedup-window: 1d\ndedupWindow: 2d',
    says: 'dedup-window stands there twice',
  },
  { rule: 'a key without a value', yaml: 'retry:', says: 'retry is empty' },
  { rule: 'a list instead of keys', yaml: '- retry', says: 'holds no keys' },
  { rule: 'no YAML', yaml: 'a: 1\nb: [', says: 'FOLDER/FILE: line 2 is no valid YAML' },
])('refuses in a file: $rule', async ({ yaml, says }) => {
  expect(await refusal({ yaml })).toContain(says)
})

const password = 'hunter2-hunter2'

test('a secret is in no text that is made of the configuration', async () => {
  const values = await resolve({
    flags: {
      smtp: `smtps://user:${password}@relay:465`,
      schemaRegistry: `https://user:${password}@registry`,
    },
    environment: { MAILONCE_KAFKA_SASL_PASSWORD: password },
    yaml: `smtp:\n  password: ${password}`,
  })

  const texts = [
    JSON.stringify(values),
    inspect(values, { depth: 9, showHidden: true }),
    [values.smtp, values.smtpPassword].join(),
  ]

  expect(texts.join()).not.toContain(password)
  expect(texts.join()).toContain('smtps://relay:465')
  expect(values.smtp.reveal()).toContain(password)
  expect(values.smtpPassword?.reveal()).toBe(password)
  expect(values.kafkaSaslPassword?.reveal()).toBe(password)
})

test.each([
  { rule: 'a wrong URL', given: { flags: { smtp: `smtp//user:${password}@relay` } } },
  {
    rule: 'a wrong URL in the environment',
    given: { environment: { MAILONCE_SCHEMA_REGISTRY: `user:${password}@registry` } },
  },
  { rule: 'broken YAML', given: { yaml: `smtp:\n  password: "${password}` } },
  { rule: 'a key that does not exist', given: { yaml: `smtp:\n  pasword: ${password}` } },
])('a secret is not in the refusal of $rule', async ({ given }) => {
  expect(await refusal(given)).not.toContain(password)
})
