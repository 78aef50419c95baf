import { hasLongerLines, isPlainText } from 'nodemailer/lib/mime-funcs'
import { encode } from 'nodemailer/lib/qp'
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { surveyText } from '../../src/sinks/text-survey.ts'

test.each([
  { text: 'a = b', literal: false },
  { text: 'ends \r\nhere', literal: false },
  { text: 'ends\t', literal: false },
  { text: 'Grüße', literal: false },
  { text: 'a\u0000b', literal: false },
  { text: 'a\u007fb', literal: false },
  { text: 'a\tb, c!\r\n\r\n~', literal: true },
])('is its own encoding: $literal, $text', ({ text, literal }) => {
  expect(surveyText(text).isLiteral).toBe(literal)
  expect(encode(text) === text).toBe(literal)
})

test.each([
  { text: '', crlfOnly: true },
  { text: 'a\r\n\r\nb', crlfOnly: true },
  { text: '\n', crlfOnly: false },
  { text: 'a\nb\r\n', crlfOnly: false },
  { text: 'a\r\n\nb', crlfOnly: false },
  { text: 'a\rb', crlfOnly: false },
  { text: 'a\r\r\n', crlfOnly: false },
  { text: 'a\r', crlfOnly: false },
])('CR LF alone: $crlfOnly, $text', ({ text, crlfOnly }) => {
  expect(surveyText(text).hasCrlfOnly).toBe(crlfOnly)
})

test('says what nodemailer would find', () => {
  const random = seededRandom(815)
  const pieces = [
    'a',
    'Z',
    '@',
    '[',
    '`',
    '{',
    ' ',
    '\t',
    '=',
    '\u001f',
    '\u007f',
    'ü',
    '🎉',
    '\u2028',
  ]
  const long = ['\r\n', 'x'.repeat(74), 'y'.repeat(75), 'z'.repeat(76)]
  const all = [...pieces, ...long]
  for (let run = 0; run < 20_000; run += 1) {
    const size = Math.floor(random.next() * 8)
    const text = Array.from(
      { length: size },
      () => all[Math.floor(random.next() * all.length)],
    ).join('')

    const survey = surveyText(text)

    expect(survey.isPlain).toBe(isPlainText(text))
    // Of a text that is not plain nobody asks: U+2028 is a line end to an expression alone.
    const isLong = survey.isPlain ? survey.longestLine > 76 : hasLongerLines(text, 76)
    expect(isLong).toBe(hasLongerLines(text, 76))
    expect(survey.isMoreLatin).toBe(letters(text) > encoded(text))
  }
})

function letters(text: string): number {
  return text.match(/[A-Za-z]/g)?.length ?? 0
}

function encoded(text: string): number {
  return text.match(/[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\uffff]/g)?.length ?? 0 // oxlint-disable-line no-control-regex
}
