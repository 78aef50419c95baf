import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfigurationFile } from '../../src/cli/configuration-file.ts'
import { configurationPage } from '../../src/cli/configuration-page.ts'

// `npx vitest run test/cli/configuration-page.test.ts -u` writes the page anew.
test('docs/configuration.md is made of the table of settings', async () => {
  await expect(configurationPage()).toMatchFileSnapshot('../../docs/configuration.md')
})

test('the file in docs/configuration.md is one that is understood', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailonce-page-'))
  const path = join(folder, 'mailonce.yaml')
  writeFileSync(path, /```yaml\n(.*?)```/s.exec(configurationPage())?.[1] ?? '')

  const values = await readConfigurationFile(path)

  rmSync(folder, { recursive: true })
  expect(values.get('kafka.brokers')).toBe('kafka-1:9093,kafka-2:9093')
  expect(values.get('smtp.password-file')).toBe('/run/secrets/relay')
})
