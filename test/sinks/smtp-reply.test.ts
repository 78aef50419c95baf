import { expect, test } from 'vitest'
import { oneLine, parseReply } from '../../src/sinks/smtp-reply.ts'

test.each([
  { raw: '250 2.0.0 ok', kind: 'done', line: '250 2.0.0 ok' },
  { raw: '250', kind: 'done', line: '250' },
  {
    raw: '250-2.0.0 one\n250-2.0.0 two\n250 2.0.0 three',
    kind: 'done',
    line: '250 2.0.0 one two three',
  },
  { raw: '451 try later', kind: 'deferred', line: '451 try later' },
  { raw: '550\t5.1.1 no', kind: 'garbage', line: '550 5.1.1 no' },
  { raw: '354 go', kind: 'garbage', line: '354 go' },
  { raw: '2500 ok', kind: 'garbage', line: '2500 ok' },
  { raw: '650 no', kind: 'garbage', line: '650 no' },
  { raw: '250-a\n251 b', kind: 'garbage', line: '250-a 251 b' },
  { raw: '250 \u001B[31mred\u0007\u202E\u0000', kind: 'done', line: '250 [31mred' },
  { raw: '', kind: 'garbage', line: '' },
])('reads $raw', ({ raw, kind, line }) => {
  expect(parseReply(raw)).toMatchObject({ kind, closing: false, line })
})

test('421 closes the connection', () => {
  expect(parseReply('421 4.3.2 bye')).toMatchObject({ kind: 'deferred', closing: true })
})

test('code, enhanced code and words are told apart', () => {
  expect(parseReply('550-5.7.1 rate\n550 5.7.1 limited')).toMatchObject({
    code: '550',
    enhanced: '5.7.1',
    text: 'rate limited',
  })
  expect(parseReply('451 4.7 later')).toMatchObject({ enhanced: '', text: '4.7 later' })
})

test('the words are kept for longer than the line', () => {
  const { line, text } = parseReply(`451 ${'x'.repeat(5000)}`)

  expect([line.length, text.length]).toEqual([512, 2048])
})

test('a line has at most 512 characters and no half of one', () => {
  expect(oneLine('x'.repeat(2000))).toHaveLength(512)
  expect(oneLine(`${'x'.repeat(511)}😀`).isWellFormed()).toBe(true)
})
