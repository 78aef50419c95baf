import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import {
  type AttemptAddress,
  FileJournal,
  type JournalEvidence,
} from '../../src/effects/journal.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'journal-'))
  path = join(directory, 'journal')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

const addressOf = (token: string): AttemptAddress => ({
  token,
  identity: `of ${token}`,
  topic: 'commands',
  partition: 3,
})

/** What the next life finds. The former one need not have closed: its process is dead. */
async function evidence(): Promise<Record<string, string>> {
  await using journal = await FileJournal.open(path)
  return Object.fromEntries(journal.evidence.map(each => [each.token, each.outcome]))
}

test('a new journal has nothing to tell', async () => {
  expect(await evidence()).toEqual({})
})

test.each<{
  died: string
  live: (journal: FileJournal) => Promise<void> | void
  finds: Record<string, string>
}>([
  {
    died: 'before the dot: certainly not performed',
    live: journal => journal.attempts([addressOf('t-1')]),
    finds: { 't-1': 'abandoned' },
  },
  {
    died: 'after the dot: nobody knows, which is no evidence',
    live: async journal => {
      journal.attempts([addressOf('t-1'), addressOf('t-2')])
      await journal.dots(['t-1'])
    },
    finds: { 't-2': 'abandoned' },
  },
  {
    died: 'after the reply: that is what came of it',
    live: async journal => {
      journal.attempts([addressOf('t-1'), addressOf('t-2')])
      await journal.dots(['t-1', 't-2'])
      journal.reply('t-1', 'done', '250 ok', 77)
      journal.reply('t-2', 'refused', '550 no', 78)
    },
    finds: { 't-1': 'done', 't-2': 'refused' },
  },
  {
    died: 'after transaction 2: nothing is left to tell',
    live: async journal => {
      journal.attempts([addressOf('t-1'), addressOf('t-2')])
      await journal.dots(['t-1'])
      journal.reply('t-1', 'done', '250 ok', 77)
      journal.settled(['t-1'])
    },
    finds: { 't-2': 'abandoned' },
  },
  {
    died: 'after a reply to what nobody attempted',
    live: journal => journal.reply('t-9', 'done', '250 ok', 77),
    finds: {},
  },
])('died $died', async ({ live, finds }) => {
  await using journal = await FileJournal.open(path)
  await live(journal)
  // All lines before it are on the disk once an empty group of dots is.
  await journal.dots([])

  expect(await evidence()).toEqual(finds)
})

test('evidence says where it goes and what was said when', async () => {
  const journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1')])
  await journal.dots(['t-1'])
  journal.reply('t-1', 'deferred', '451 later\n"soon"', 77, { retryAfterMs: 9 })
  await journal.close()

  await using next = await FileJournal.open(path)

  expect(next.evidence).toEqual<JournalEvidence[]>([
    {
      ...addressOf('t-1'),
      outcome: 'deferred',
      reply: '451 later\n"soon"',
      atMs: 77,
      retryAfterMs: 9,
    },
  ])
})

test('a dot is on the disk when its promise resolves', async () => {
  await using journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1')])

  await journal.dots(['t-1'])

  expect(readFileSync(path, 'utf8')).toContain('{"l":"dot","t":["t-1"]}\n')
})

test('dots that come together are all on the disk when the last resolves', async () => {
  await using journal = await FileJournal.open(path)
  const tokens = Array.from({ length: 50 }, (_, index) => `t-${index}`)
  journal.attempts(tokens.map(addressOf))

  await Promise.all(tokens.map(token => journal.dots([token])))

  expect(await evidence()).toEqual({})
})

test.each([1, 10, 30])(
  'a last line that was torn %i bytes before its end is nothing',
  async cut => {
    const journal = await FileJournal.open(path)
    journal.attempts([addressOf('t-1')])
    await journal.dots(['t-1'])
    journal.reply('t-1', 'done', '250 ok', 77)
    await journal.close()
    const whole = readFileSync(path)

    writeFileSync(path, whole.subarray(0, whole.length - 1 - cut))

    expect(await evidence()).toEqual({})
  },
)

test('replies that come together share a flush, and the next dots do not wait for one each', async () => {
  const handle = await open(join(directory, 'other'), 'a')
  const flushes = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'datasync')
  onTestFinished(() => flushes.mockRestore())
  await handle.close()
  await using journal = await FileJournal.open(path)
  const tokens = Array.from({ length: 50 }, (_, index) => `t-${index}`)
  journal.attempts(tokens.map(addressOf))
  await journal.dots(tokens)
  flushes.mockClear()

  for (const token of tokens) journal.reply(token, 'done', '250 ok', 1)
  journal.attempts([addressOf('next')])
  await journal.dots(['next'])

  expect(flushes.mock.calls.length).toBeLessThanOrEqual(2)
})

test('replies are flushed together, 5 ms after the first of them', async () => {
  const handle = await open(join(directory, 'other'), 'a')
  const flushes = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'datasync')
  onTestFinished(() => flushes.mockRestore())
  await handle.close()
  const clock = new ManualClock()
  await using journal = await FileJournal.open(path, clock)
  journal.attempts(['t-1', 't-2', 't-3'].map(addressOf))
  await journal.dots(['t-1', 't-2', 't-3'])
  flushes.mockClear()

  journal.reply('t-1', 'done', '250 ok', 1)
  clock.advance(4)
  journal.reply('t-2', 'done', '250 ok', 1)
  await new Promise(resolve => setImmediate(resolve))
  const early = flushes.mock.calls.length
  clock.advance(1)
  await expect.poll(() => flushes.mock.calls.length).toBe(1)
  journal.reply('t-3', 'done', '250 ok', 1)
  clock.advance(5)
  await expect.poll(() => flushes.mock.calls.length).toBe(2)

  expect(early).toBe(0)
})

test('a reply is in the file at once', async () => {
  await using journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1')])
  await journal.dots(['t-1'])

  journal.reply('t-1', 'done', '250 ok', 1)

  expect(readFileSync(path, 'utf8')).toContain('250 ok')
})

test('a reply is in the file although the flush before it is still under way', async () => {
  const handle = await open(join(directory, 'other'), 'a')
  const flush = Promise.withResolvers<void>()
  const flushes = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'datasync')
  onTestFinished(() => {
    flushes.mockRestore()
    flush.resolve()
  })
  await handle.close()
  const journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1'), addressOf('t-2')])
  await journal.dots(['t-1'])
  flushes.mockImplementation(() => flush.promise)
  const dotted = journal.dots(['t-2'])
  await expect.poll(() => flushes.mock.calls.length).toBeGreaterThan(0)

  journal.reply('t-1', 'done', '250 ok', 1)
  await expect.poll(() => readFileSync(path, 'utf8')).toContain('250 ok')

  flushes.mockRestore()
  flush.resolve()
  await dotted
  await journal.close()
})

test('what is written after a torn line is read by the next life', async () => {
  appendFileSync(path, '{"l":"attempt","a":{"token":"t-0"')
  const journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1')])
  await journal.close()

  expect(await evidence()).toEqual({ 't-1': 'abandoned' })
})

test('a line that cannot be read hides none of those behind it: a dot is believed', async () => {
  const journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1')])
  await journal.close()
  appendFileSync(path, '\u0000\u0000\u0000\n{"l":"dot","t":["t-1"]}\n')

  expect(await evidence()).toEqual({})
})

test('opening keeps what is unsettled and nothing else', async () => {
  const journal = await FileJournal.open(path)
  for (let index = 0; index < 500; index += 1) {
    journal.attempts([addressOf(`t-${index}`)])
    if (index > 0) journal.settled([`t-${index}`])
  }
  await journal.dots(['t-0'])
  await journal.close()
  const before = statSync(path).size

  await evidence()

  expect(statSync(path).size).toBeLessThan(before / 100)
  expect(readFileSync(path, 'utf8')).toContain('"l":"dot"')
})

test('a journal that has grown large is written anew, without a word lost', async () => {
  const journal = await FileJournal.open(path)
  const reply = 'x'.repeat(1024 * 1024)
  journal.attempts([addressOf('kept'), addressOf('told')])
  await journal.dots(['kept', 'told'])
  for (let index = 0; index < 17; index += 1) {
    journal.attempts([addressOf(`t-${index}`)])
    journal.reply(`t-${index}`, 'done', reply, 1)
    journal.settled([`t-${index}`])
  }
  journal.reply('told', 'refused', '550 no', 5)
  await journal.close()

  expect(statSync(path).size).toBeLessThan(1024 * 1024)
  expect(await evidence()).toEqual({ told: 'refused' })
})

test('a flush that fails is the end: neither these dots nor later ones may be performed', async () => {
  const handle = await open(join(directory, 'other'), 'a')
  const flushes = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'datasync')
  onTestFinished(() => flushes.mockRestore())
  await handle.close()
  await using journal = await FileJournal.open(path)
  journal.attempts([addressOf('t-1'), addressOf('t-2')])

  flushes.mockRejectedValueOnce(Object.assign(new Error('no space'), { code: 'ENOSPC' }))

  await expect(journal.dots(['t-1'])).rejects.toMatchObject({ code: 'DISK_FULL' })
  await expect(journal.dots(['t-2'])).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect(journal.failure).toMatchObject({ code: 'DISK_FULL' })
})

test('a file that cannot be read is no empty journal', async () => {
  await expect(FileJournal.open(directory)).rejects.toThrow()
})
