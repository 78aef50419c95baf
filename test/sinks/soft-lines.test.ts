import { encode, wrap } from 'nodemailer/lib/qp'
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { isLiteral, softLines } from '../../src/sinks/soft-lines.ts'

test.each([
  { text: 'a = b', literal: false },
  { text: 'ends \r\nhere', literal: false },
  { text: 'ends\t', literal: false },
  { text: 'Grüße', literal: false },
  { text: 'a\u0000b', literal: false },
  { text: 'a\tb, c!\r\n\r\n~', literal: true },
])('is its own encoding: $literal, $text', ({ text, literal }) => {
  expect(isLiteral(text)).toBe(literal)
  expect(encode(text) === text).toBe(literal)
})

test('lines are broken where nodemailer breaks them', () => {
  const random = seededRandom(4711)
  const words = ['a', 'b c', '. ', ', ', '?', '!', '\t', '\r\n', '\r\n\r\n']
  const long = [20, 25, 51, 70, 75, 76, 80].map(length => 'x'.repeat(length))
  const all = [...words, ...long]
  for (let run = 0; run < 20_000; run += 1) {
    const pieces = Array.from(
      { length: Math.floor(random.next() * 25) },
      () => all[Math.floor(random.next() * all.length)],
    )
    const text = pieces.join('')
    if (!isLiteral(text)) continue

    expect(softLines(text)).toBe(wrap(text, 76))
  }
})
