import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { plainFromFlags } from '../../src/cli/request-flags.ts'
import { MemoryTerminal } from './memory-terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-flags-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('every flag has its field', async () => {
  const path = join(folder, 'bill.pdf')
  writeFileSync(path, 'PDF')
  const flags = {
    to: ['a@x', 'b@x'],
    cc: ['c@x'],
    bcc: ['d@x'],
    from: ['e@x'],
    'reply-to': ['f@x'],
    subject: ['S'],
    text: ['T'],
    html: ['H'],
    header: ['X-A=1=2'],
    attach: [path],
    source: ['shop'],
    'request-id': ['r-1'],
    priority: ['high'],
    'not-before': ['2030-01-01'],
    'expires-at': ['1900000000000'],
    'in-doubt': ['resend'],
    'callback-context': ['order=7', 'empty='],
    'callback-url': ['https://x/'],
    'unsubscribe-url': ['https://x/u'],
    'unsubscribe-mailto': ['u@x'],
    'unsubscribe-one-click': [],
  }

  expect(await plainFromFlags(new Map(Object.entries(flags)))).toEqual({
    to: ['a@x', 'b@x'],
    cc: ['c@x'],
    bcc: ['d@x'],
    from: 'e@x',
    replyTo: 'f@x',
    subject: 'S',
    text: 'T',
    html: 'H',
    headers: { 'X-A': '1=2' },
    attachments: [{ filename: 'bill.pdf', contentType: 'application/pdf', content: 'UERG' }],
    source: 'shop',
    requestId: 'r-1',
    priority: 'HIGH',
    notBefore: '2030-01-01',
    expiresAt: '1900000000000',
    inDoubt: 'RESEND',
    callback: { context: { order: '7', empty: '' }, url: 'https://x/' },
    unsubscribe: { url: 'https://x/u', mailto: 'u@x', oneClick: true },
  })
})

test.each([
  { argv: ['--subject', 'x'], says: 'send needs --to, or --file' },
  { argv: ['--to', 'a@x'], says: 'send needs --subject, or --file' },
  { argv: ['--to', 'a@x', '--file', 'f'], says: '--to describes one request and --file many' },
  {
    argv: ['--to', 'a@x', '--subject', 'x', '--attach', '/does/not/exist'],
    says: '--attach: /does/not/exist cannot be read',
  },
  {
    argv: ['--to', 'a@x', '--subject', 'x', '--callback-context', 'order'],
    says: '--callback-context: "order" is not NAME=VALUE',
  },
  {
    argv: ['--to', 'a@x', '--subject', 'x', '--priority', 'urgent'],
    says: '--priority has to be HIGH or NORMAL or BULK, not "URGENT"',
  },
  {
    argv: ['--to', 'a@x', '--subject', 'x', '--not-before', 'soon'],
    says: '--not-before has to be a time in ISO 8601',
  },
  {
    argv: ['--to', 'a@x', '--subject', 'x', '--in-doubt', 'maybe'],
    says: '--in-doubt has to be DEFAULT or HOLD or RESEND',
  },
])('send $argv is wrong usage', async ({ argv, says }) => {
  const terminal = new MemoryTerminal()

  expect(await main(['send', ...argv], terminal)).toBe(2)
  expect(terminal.told.join()).toContain(says)
})

test('a wrong file is told of without a broker, and ends with 1', async () => {
  const path = join(folder, 'wrong.ndjson')
  writeFileSync(path, '{"source":"s","to":["a@x"],"subject":7}\n')
  const terminal = new MemoryTerminal()

  expect(await main(['send', '--file', path, '--kafka', '127.0.0.1:1'], terminal)).toBe(1)
  expect(terminal.told[0]).toBe(`${path} line 1: subject has to be a text, not 7`)
  expect(terminal.told[1]).toMatch(
    /^mailonce: REQUEST_INVALID: 1 of 1 lines .* nothing was published/,
  )
})
