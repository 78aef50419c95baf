import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { builtInReplyRules } from '../../src/sinks/built-in-reply-rules.ts'
import { replyClasses } from '../../src/sinks/reply-rule.ts'
import { ReplyTable } from '../../src/sinks/reply-table.ts'
import { parseReply } from '../../src/sinks/smtp-reply.ts'
import { blocksOf, markdownPage, tableBelow } from './markdown-page.ts'

const page = markdownPage('docs/delivery.md')

const code = (texts: readonly string[] = []): string => texts.map(each => `\`${each}\``).join(', ')

test('docs/delivery.md shows the built-in rules as they are', () => {
  const rows = builtInReplyRules.map(rule => [
    code(rule.phases) || 'any',
    code(rule.codes),
    code(rule.enhanced),
    (rule.text ?? []).join(', '),
    code([rule.class]),
    rule.asksForLess ?? (rule.class === 'throttled' ? 'certain' : ''),
    rule.why,
  ])

  expect(tableBelow(page, '### The built-in rules')).toEqual([
    ['reply to', 'code', 'enhanced', 'words', 'class', 'asks for less', 'why'],
    ...rows,
  ])
})

test('docs/delivery.md says what follows from each class', () => {
  const [, ...rows] = tableBelow(page, '## Replies')

  expect(rows.map(([name]) => name)).toEqual(replyClasses.map(name => `\`${name}\``))
})

test('the rules in docs/delivery.md are understood, and do what the page says', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailonce-page-'))
  const path = join(folder, 'mailonce.yaml')
  const rules = blocksOf(page, 'yaml').find(block => block.includes('retry-classes'))
  writeFileSync(path, rules ?? '')

  const { values } = await resolveConfiguration(new Map([['config', path]]), {})

  rmSync(folder, { recursive: true })
  const table = new ReplyTable(values.retryClasses)
  const listed = parseReply('554 5.7.1 Client host [192.0.2.1] blocked using zen.example')
  expect(table.classOf('rcpt', listed)).toBe('temporary')
  expect(new ReplyTable().classOf('rcpt', listed)).toBe('permanent')
  expect(table.classOf('rcpt', parseReply('550 5.7.9 over the limit'))).toBe('throttled')
})

test('the schedules in docs/delivery.md are what the page says', async () => {
  const schedule = async (text: string): Promise<readonly number[]> =>
    (await resolveConfiguration(new Map([['retry', text]]), {})).values.retry
  const [byDefault] = /(?<=The default `)[^`]+/.exec(page) ?? []
  const [short] = /(?<=^retry: ).*$/m.exec(page) ?? []

  const delaysMs = await schedule(byDefault ?? '')

  expect((await resolveConfiguration(new Map(), {})).values.retry).toEqual(delaysMs)
  // RFC 5321 section 4.5.4.1: 30 minutes at least, two tries within the first hour, 4 to 5 days in all.
  expect(Math.min(...delaysMs)).toBe(30 * 60_000)
  expect(delaysMs[0]! + delaysMs[1]!).toBeLessThanOrEqual(3_600_000)
  expect(delaysMs.reduce((sum, delayMs) => sum + delayMs, 0)).toBe(4 * 24 * 3_600_000)
  expect(await schedule(short ?? '')).toHaveLength(4)
})
