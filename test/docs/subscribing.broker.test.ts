import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, inject, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { MailonceProcess } from '../cli/mailonce-process.ts'
import { MemoryTerminal } from '../cli/memory-terminal.ts'
import { blocksOf, markdownPage } from './markdown-page.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-subscribing-'))
afterAll(() => rmSync(folder, { recursive: true }))

const source = `subscribing-${process.pid}`

async function call(...argv: readonly string[]): Promise<void> {
  const cluster = ['--kafka', inject('kafkaBootstrapServers')]
  const registry = ['--schema-registry', inject('schemaRegistryUrl')]
  const terminal = new MemoryTerminal()
  const code = await main([...argv, ...cluster, ...registry], terminal)
  expect([code, terminal.told]).toEqual([0, []])
}

/** The page's own program, as a stranger would run it; its imports are found from the root of this checkout. */
async function firstOutcomes(count: number): Promise<readonly string[]> {
  const [block = ''] = blocksOf(markdownPage('docs/subscribing.md'), 'ts')
  const root = new URL('../../', import.meta.url)
  const program = block.replaceAll(/from '(@[^']+)'/g, (_, name: string) => {
    return `from '${import.meta.resolve(name, root)}'`
  })
  const file = join(folder, 'subscriber.ts')
  writeFileSync(file, program)
  const subscriber = spawn(process.execPath, [file], {
    cwd: fileURLToPath(root),
    env: { KAFKA: inject('kafkaBootstrapServers'), SCHEMA_REGISTRY: inject('schemaRegistryUrl') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const own: string[] = []
  for await (const line of createInterface({ input: subscriber.stdout })) {
    // The topics are shared with other tests.
    if (line.startsWith(source)) own.push(line)
    if (own.length === count) break
  }
  subscriber.kill('SIGKILL')
  await once(subscriber, 'close')
  return own
}

test('the program of docs/subscribing.md reads what became of the mails', async () => {
  await call('schemas', 'register')
  await call('topics', 'create')
  const text = ['--subject', 's', '--text', 't', '--source', source]
  await call('send', ...text, '--request-id', 'good', '--to', 'ada@example.com')
  await call('send', ...text, '--request-id', 'bad', '--to', 'not an address')
  const flags = {
    kafka: inject('kafkaBootstrapServers'),
    'schema-registry': inject('schemaRegistryUrl'),
    smtp: inject('smtpUrl'),
    http: '127.0.0.1:0',
    'application-id': source,
    'state-dir': join(folder, 'state'),
  }
  const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  // Other tests have run under other names on these topics.
  await using instance = new MailonceProcess(['run', '--take-over', ...words])
  await instance.event('running')

  const outcomes = await firstOutcomes(2)

  expect(outcomes.toSorted()).toEqual([
    `${source} bad: INVALID`,
    expect.stringMatching(new RegExp(`^${source} good: <\\w+@localhost>$`)),
  ])
})
