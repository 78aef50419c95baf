import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { schemaTopics } from '../../src/email/schemas.ts'
import { MemoryTerminal } from './memory-terminal.ts'
import { type Knowledge, RegistryStandIn } from './registry-stand-in.ts'

test.each<{ readonly knows: Knowledge; readonly code: number; readonly says: RegExp }>([
  { knows: 'everything', code: 0, says: /^$/ },
  { knows: 'nothing', code: 0, says: /^$/ },
  {
    knows: 'older schemas',
    code: 1,
    says: /SCHEMA_INCOMPATIBLE: the registry would refuse email\.requested-value, .*give every new field a default/,
  },
  {
    knows: 'everything, without a rule',
    code: 1,
    says: /SCHEMA_INCOMPATIBLE: email\.requested-value, .* not under the rule FULL_TRANSITIVE: set it with mailonce schemas register/,
  },
])('schemas check ends with $code where the registry knows $knows', async each => {
  await using registry = await RegistryStandIn.start(each.knows)
  const terminal = new MemoryTerminal()

  const code = await main(['schemas', 'check', '--schema-registry', registry.url], terminal)

  expect(code).toBe(each.code)
  expect(terminal.told.join('\n')).toMatch(each.says)
  expect(terminal.printed).toHaveLength(schemaTopics.length)
})
