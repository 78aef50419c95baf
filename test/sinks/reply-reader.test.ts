import { expect, test } from 'vitest'
import { ReplyReader } from '../../src/sinks/reply-reader.ts'

function repliesOf(...chunks: readonly (string | Buffer)[]): string[] {
  const replies: string[] = []
  const reader = new ReplyReader(reply => replies.push(reply))
  for (const chunk of chunks) reader.read(Buffer.from(chunk))
  return replies
}

test.each([
  { rule: 'one line is a reply', said: '250 ok\r\n', replies: ['250 ok'] },
  { rule: 'without text too', said: '250\r\n', replies: ['250'] },
  { rule: 'several come together', said: '250 a\r\n354 b\r\n', replies: ['250 a', '354 b'] },
  { rule: 'a hyphen goes on', said: '250-a\r\n250 b\r\n', replies: ['250-a\n250 b'] },
  { rule: 'LF alone ends a line', said: '250 a\n250 b\n', replies: ['250 a', '250 b'] },
  { rule: 'empty lines are none', said: '\r\n \r\n250 a\r\n', replies: ['250 a'] },
  { rule: 'text is UTF-8', said: '250 größer\r\n', replies: ['250 größer'] },
  { rule: 'a line that does not end is none', said: '250 a', replies: [] },
  { rule: 'a reply that goes on is none', said: '250-a\r\n', replies: [] },
])('$rule', ({ said, replies }) => {
  expect(repliesOf(said)).toEqual(replies)
  expect(repliesOf(...Array.from(Buffer.from(said), byte => Buffer.of(byte)))).toEqual(replies)
})

test('what is no UTF-8 is read byte by byte', () => {
  expect(repliesOf(Buffer.from('250 gr\xfcn\r\n', 'latin1'))).toEqual(['250 gr\xfcn'])
})

test.each([
  { said: '250 a\r\n550 5.7', rest: '550 5.7' },
  { said: '250 a\r\n550-5.7\r\n55', rest: '550-5.7' },
  { said: '250-a\r\n250 a\r\n', rest: '' },
])('tells what has begun and not ended: $said', ({ said, rest }) => {
  const reader = new ReplyReader(() => undefined)

  reader.read(Buffer.from(said))

  expect(reader.rest).toBe(rest)
})

test.each([
  { what: 'a line', chunk: 'x'.repeat(1000) },
  { what: 'a reply', chunk: `250-${'x'.repeat(1000)}\r\n` },
])('$what without an end is noticed', ({ chunk }) => {
  const reader = new ReplyReader(() => undefined)

  const read = Array.from({ length: 1100 }, () => reader.read(Buffer.from(chunk)))

  expect(read.indexOf(false)).toBeGreaterThan(1000)
})
