import { wrap } from 'nodemailer/lib/qp'
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { softLengthMax, writeSoftLines } from '../../src/sinks/soft-lines.ts'
import { surveyText } from '../../src/sinks/text-survey.ts'

/** Behind other bytes, with no more room than it says that it needs. */
function softLines(text: string): string {
  const bytes = Buffer.alloc(3 + softLengthMax(text), 'abc')
  const end = writeSoftLines(text, bytes, 3)
  expect(bytes.toString('latin1', 0, 3)).toBe('abc')
  expect(end).toBeLessThanOrEqual(bytes.length)
  return bytes.toString('latin1', 3, end)
}

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
    if (!surveyText(text).isLiteral) continue

    expect(softLines(text)).toBe(wrap(text, 76))
  }
})

test.each([52, 75, 76, 77, 152, 1000])('a break at every place of %i characters', length => {
  for (let at = 0; at < length; at += 1) {
    const text = `${'x'.repeat(at)},${'x'.repeat(length - at - 1)}`

    expect(softLines(text)).toBe(wrap(text, 76))
  }
})
