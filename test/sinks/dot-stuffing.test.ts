import { expect, test } from 'vitest'
import { DotStuffing } from '../../src/sinks/dot-stuffing.ts'
import { seededRandom } from '../../src/random.ts'

/** The whole body on the wire, given in pieces. */
function onTheWire(pieces: readonly string[]): string {
  const stuffing = new DotStuffing()
  const body = pieces.map(piece => stuffing.piece(Buffer.from(piece)).toString()).join('')
  return body + stuffing.end
}

test.each([
  { text: 'a\r\nb\r\n', wire: 'a\r\nb\r\n.\r\n', rule: 'leaves lines as they are' },
  {
    text: '.\r\n..\r\n.a',
    wire: '..\r\n...\r\n..a\r\n.\r\n',
    rule: 'doubles a dot that begins a line',
  },
  { text: 'a\n.\nb', wire: 'a\r\n..\r\nb\r\n.\r\n', rule: 'a bare LF ends a line' },
  { text: 'a\r.\rb\r', wire: 'a\r\n..\r\nb\r\n.\r\n', rule: 'a bare CR ends a line' },
  { text: '\n.', wire: '\r\n..\r\n.\r\n', rule: 'a bare LF at the very start' },
  { text: 'a.b', wire: 'a.b\r\n.\r\n', rule: 'leaves a dot in a line' },
  { text: '', wire: '\r\n.\r\n', rule: 'an empty body is one empty line' },
])('$rule', ({ text, wire }) => {
  expect(onTheWire([text])).toBe(wire)
  expect(onTheWire(Array.from(text))).toBe(wire)
})

test('what needs no change is not copied', () => {
  const bytes = Buffer.from('Subject: a\r\n\r\nHello.\r\n')

  expect(new DotStuffing().piece(bytes)).toBe(bytes)
})

test('whatever the bytes and the pieces, lines end alike and no dot begins one', () => {
  const random = seededRandom(4711)
  const integer = (below: number): number => Math.floor(random.next() * below)
  for (let run = 0; run < 5000; run += 1) {
    const pieces = Array.from({ length: 1 + integer(3) }, () =>
      Array.from({ length: integer(8) }, () => '.\r\na'[integer(4)]).join(''),
    )

    expect(onTheWire(pieces)).toBe(wireOf(pieces.join('')))
  }
})

/** The same in one go. */
function wireOf(text: string): string {
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n').replace(/(^|\r\n)\./g, '$1..')
  return `${lines}${lines.endsWith('\r\n') ? '' : '\r\n'}.\r\n`
}
