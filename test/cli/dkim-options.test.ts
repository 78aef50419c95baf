import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { dkimOptions } from '../../src/cli/dkim-options.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-dkim-'))
afterAll(() => rmSync(folder, { recursive: true }))

const pem = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
writeFileSync(join(folder, 'key.pem'), pem)
writeFileSync(join(folder, 'broken.pem'), '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n')

async function dkimOf(yaml: string): ReturnType<typeof dkimOptions> {
  const config = join(folder, 'mailonce.yaml')
  writeFileSync(config, `dkim:\n  ${yaml.replaceAll('FOLDER', folder)}`)
  const { values } = await resolveConfiguration(new Map([['config', config]]), {})
  return dkimOptions(values.dkim)
}

test('nothing is signed unless it is configured', async () => {
  const { values } = await resolveConfiguration(new Map(), {})

  expect(await dkimOptions(values.dkim)).toEqual({})
})

test('a key and the next one', async () => {
  const yaml = [
    'example.com:',
    '    - { selector: s2026, key-file: FOLDER/key.pem }',
    '    - { selector: s2027, key-file: FOLDER/key.pem, from: 2027-01-01T00:00:00Z }',
  ].join('\n')

  expect(await dkimOf(yaml)).toEqual({
    'example.com': [
      { selector: 's2026', privateKey: pem },
      { selector: 's2027', privateKey: pem, fromMs: Date.UTC(2027, 0, 1) },
    ],
  })
})

test.each([
  {
    yaml: 'a.example: [{ selector: s, key-file: FOLDER/none }]',
    says: 'dkim.a.example[0].key-file: cannot be read',
  },
  {
    yaml: 'a.example: [{ selector: s, key-file: FOLDER/broken.pem }]',
    says: 'dkim.a.example[0].key-file: FOLDER/broken.pem: is not a private key',
  },
  { yaml: 'a.example: [{ selector: s }]', says: 'dkim.a.example[0].key-file is missing' },
  { yaml: 'a.example: [{ selector: "a;b", key-file: x }]', says: 'is not a selector' },
  {
    yaml: 'a.example: [{ selector: s, key-file: x, from: 2027-02-30T00:00:00Z }]',
    says: 'is not a time in UTC',
  },
  {
    yaml: 'a.example: [{ selector: s, key-file: FOLDER/key.pem }, { selector: t, key-file: FOLDER/key.pem }]',
    says: 'dkim: two ed25519-sha256 keys of a.example begin at the same time',
  },
])('refuses $yaml, and shows no key', async ({ yaml, says }) => {
  const error = await dkimOf(yaml).catch((reason: unknown) => reason)

  expect(error).toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining(says.replaceAll('FOLDER', folder)),
  })
  expect(String(error)).not.toContain('c2VjcmV0')
})
