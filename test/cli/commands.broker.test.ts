import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, test, vi } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { SmtpInbox } from '../../src/dev/smtp-inbox.ts'
import { MailonceProcess } from './mailonce-process.ts'
import { MemoryTerminal } from './memory-terminal.ts'

vi.setConfig({ testTimeout: 180_000 })

const folder = mkdtempSync(join(tmpdir(), 'mailonce-commands-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const cluster = (): string[] => [
  '--kafka',
  inject('kafkaBootstrapServers'),
  '--schema-registry',
  inject('schemaRegistryUrl'),
]

async function call(
  argv: readonly string[],
  stdin: readonly string[] = [],
): Promise<{ code: number; printed: string[]; told: string[] }> {
  const terminal = new MemoryTerminal({}, stdin)
  const code = await main([...argv, ...cluster()], terminal)
  return { code, printed: terminal.printed, told: terminal.told }
}

test('topics are created once, then they exist', async () => {
  await call(['topics', 'create'])

  const { code, printed, told } = await call(['topics', 'create'])

  expect({ code, told }).toEqual({ code: 0, told: [] })
  const contract = ['requested', 'dedup', 'sent', 'failed', 'callback', 'dead-letter']
  const later = ['suppressed', 'bounces', 'webhooks-disabled']
  expect(printed.toSorted()).toEqual(
    [...contract, ...later].map(name => `email.${name}: exists`).toSorted(),
  )
})

test('topics that are kept for a shorter time than the window break a promise', async () => {
  await call(['topics', 'create'])

  const { code, told } = await call(['topics', 'create', '--dedup-window', '30d'])

  expect(code).toBe(1)
  expect(told.join()).toMatch(
    /^mailonce: TOPIC_MISMATCH: email\.requested has retention\.ms 7d, not 30d/,
  )
})

test('schemas are registered under the rule, and then the check is content', async () => {
  const registered = await call(['schemas', 'register'])
  const checked = await call(['schemas', 'check'])

  expect([registered.code, checked.code]).toEqual([0, 0])
  expect(registered.printed).toHaveLength(6)
  expect(checked.printed).toEqual(
    ['requested', 'dedup', 'sent', 'failed', 'callback', 'suppressed'].map(
      name => `email.${name}-value: registered, FULL_TRANSITIVE`,
    ),
  )
})

test('what was sent is mailed once by a processor that drains on SIGTERM', async () => {
  await call(['topics', 'create'])
  await call(['schemas', 'register'])
  const wanted = new Set(['file-1', 'file-2', 'flags-1', 'stdin-1'])
  const all = Promise.withResolvers<void>()
  const mailed: string[] = []
  await using inbox = await SmtpInbox.start({
    onMail: ({ parsed: { subject = '' } }) => {
      // The topics are shared: somebody else's requests are mailed here as well.
      if (wanted.has(subject)) mailed.push(subject)
      if (new Set(mailed).size === wanted.size) all.resolve()
    },
  })
  const flags = ['--smtp', inbox.url, '--http', '127.0.0.1:0', '--state-dir', join(folder, 'state')]
  const path = join(folder, 'requests.ndjson')
  const line = (id: string): string =>
    `${JSON.stringify({ requestId: id, source: folder, to: ['a@example.com'], subject: id, text: 'x' })}\n`
  writeFileSync(path, line('file-1') + line('file-2') + line('file-1'))

  const fromFile = await call(['send', '--file', path])
  const fromStdin = await call(['send'], [line('stdin-1')])
  const flag = [
    '--source',
    folder,
    '--request-id',
    'flags-1',
    '--to',
    'a@example.com',
    '--subject',
    'flags-1',
    '--text',
    'x',
  ]
  const fromFlags = await call(['send', ...flag])
  await using process = new MailonceProcess([
    'run',
    ...flags,
    ...cluster(),
    '--application-id',
    'commands-test',
    // Other tests have worked on the same topics, under names of their own.
    '--take-over',
  ])
  const { address } = await process.event('http')
  await process.event('running')
  const ready = await fetch(`http://${String(address)}/readyz`)
  await ready.text()
  await all.promise
  process.signal('SIGTERM')

  expect([fromFile.printed, fromStdin.printed, fromFlags.printed]).toEqual([
    ['file-1', 'file-2', 'file-1'],
    ['stdin-1'],
    ['flags-1'],
  ])
  expect(ready.status).toBe(200)
  expect(await process.exitCode()).toBe(0)
  expect(process.stderr).toBe('')
  expect(mailed).toHaveLength(wanted.size)
})
