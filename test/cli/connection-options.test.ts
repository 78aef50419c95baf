import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolveConfiguration, type Configuration } from '../../src/cli/configuration.ts'
import { kafkaOptions } from '../../src/cli/kafka-options.ts'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-options-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function configured(yaml: string): Promise<Configuration> {
  const config = fileOf('mailonce.yaml', yaml.replaceAll('FOLDER', folder))
  return (await resolveConfiguration(new Map([['config', config]]), {})).values
}

async function kafka(yaml: string): Promise<unknown> {
  const { bootstrapBrokers, tls, sasl } = await kafkaOptions(
    await configured(yaml),
    systemClock,
    silentLogger,
  )
  return { bootstrapBrokers, tls, sasl }
}

test('without more there is neither TLS nor a log-in', async () => {
  expect(await kafka('kafka: "[::1]:9092,b:9093"')).toEqual({
    bootstrapBrokers: ['[::1]:9092', 'b:9093'],
    tls: undefined,
    sasl: undefined,
  })
})

test('TLS is on when it is said, or when one of its files is', async () => {
  fileOf('ca.pem', 'CA')

  expect(await kafka('kafka:\n  brokers: a:1\n  tls: true')).toMatchObject({ tls: {} })
  expect(await kafka('kafka:\n  tls:\n    caFile: FOLDER/ca.pem')).toMatchObject({
    tls: { ca: 'CA' },
  })
})

test('the password of SASL comes from a file without its line end', async () => {
  fileOf('password', 'hunter2 \n')

  const yaml =
    'kafka:\n  sasl: { mechanism: SCRAM-SHA-512, username: me, passwordFile: FOLDER/password }'

  expect(await kafka(yaml)).toMatchObject({
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'me', password: 'hunter2 ' },
  })
})

test.each([
  {
    yaml: 'kafka:\n  sasl: { username: me, password: x }',
    says: 'kafka.sasl.mechanism is missing',
  },
  {
    yaml: 'kafka:\n  sasl: { mechanism: PLAIN, password: x }',
    says: 'kafka.sasl.username is missing',
  },
  {
    yaml: 'kafka:\n  sasl: { mechanism: PLAIN, username: me }',
    says: 'kafka.sasl.password or kafka.sasl.password-file',
  },
  {
    yaml: 'kafka:\n  sasl: { mechanism: PLAIN, username: me, password: x, passwordFile: y }',
    says: 'are both given',
  },
  {
    yaml: 'kafka:\n  sasl: { mechanism: PLAIN, username: me, passwordFile: FOLDER/none }',
    says: 'kafka.sasl.password-file: cannot be read',
  },
  { yaml: 'kafka:\n  tls: { certFile: FOLDER/none }', says: 'belong together' },
  { yaml: 'kafka:\n  tls: { caFile: FOLDER/none }', says: 'kafka.tls.ca-file: cannot be read' },
  { yaml: 'kafka:\n  tls: { enabled: false, caFile: FOLDER/none }', says: 'take them out' },
])('refuses $yaml', async ({ yaml, says }) => {
  await expect(kafka(yaml)).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining(says),
  })
})
