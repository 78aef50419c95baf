import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { MemoryTerminal } from './memory-terminal.ts'

test.each([
  { argv: ['topology'], says: 'Sub-topology: dedup' },
  { argv: ['topology', '--format', 'text'], says: 'Source: requests (topic: email.requested)' },
  { argv: ['topology', '--format', 'mermaid'], says: 'flowchart' },
])('$argv prints $says', async ({ argv, says }) => {
  const terminal = new MemoryTerminal()

  expect(await main(argv, terminal)).toBe(0)
  expect(terminal.printed.join('\n')).toContain(says)
})

test('another format is wrong usage', async () => {
  const terminal = new MemoryTerminal()

  expect(await main(['topology', '--format', 'svg'], terminal)).toBe(2)
  expect(terminal.told).toEqual([
    'mailonce: CONFIGURATION_INVALID: --format: "svg" is not text or mermaid',
  ])
})
