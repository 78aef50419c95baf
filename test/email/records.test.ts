import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { generateTypes } from '../../scripts/generate-types.ts'

test('records.ts is what the schemas say: run scripts/generate-types.ts after changing one', () => {
  const committed = readFileSync(new URL('../../src/email/records.ts', import.meta.url), 'utf8')

  expect(committed).toBe(generateTypes(new URL('../../schemas/', import.meta.url)))
})
