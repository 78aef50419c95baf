import { expect, test } from 'vitest'
import { type Json, JsonWriter } from '../src/json-writer.ts'
import { type Random, seededRandom } from '../src/random.ts'

const letters = ['a', '~', ' ', 'é', '"', '\\', '\n', '\u007f', '漢', '😀', '\ud800', '\u0000']

function drawnText(random: Random): string {
  const kinds = random.next() < 0.5 ? 3 : letters.length
  return Array.from(
    { length: Math.floor(random.next() * 20) },
    () => letters[Math.floor(random.next() * kinds)],
  ).join('')
}

function drawnNumber(random: Random): number {
  const share = random.next()
  const size = 10 ** Math.floor(random.next() * 17)
  const odd = [0, -0, -1, 0.1, 1e21, 1e-7, NaN, Infinity, Number.MAX_SAFE_INTEGER, 2 ** 53, 9, 10]
  return share < 0.5 ? Math.floor(random.next() * size) : odd[Math.floor(random.next() * 12)]!
}

function drawn(random: Random, depth: number): Json {
  const draw = Math.floor(random.next() * (depth > 0 ? 8 : 6))
  if (draw < 2) return drawnText(random)
  if (draw < 4) return drawnNumber(random)
  if (draw === 4) return random.next() < 0.5 ? null : undefined
  if (draw === 5) return random.next() < 0.5
  const length = Math.floor(random.next() * 6)
  if (draw === 6) return Array.from({ length }, () => drawn(random, depth - 1))
  return Object.fromEntries(
    Array.from({ length }, () => [drawnText(random), drawn(random, depth - 1)]),
  )
}

function written(writer: JsonWriter): string {
  const bytes = Buffer.alloc(writer.length + 2)
  writer.copyTo(bytes, 1)
  return bytes.subarray(1, -1).toString('utf8')
}

test.each(Array.from({ length: 20 }, (_, index) => index + 1))(
  'seed %i: what is written is what JSON.stringify writes',
  seed => {
    const random = seededRandom(seed)
    const writer = new JsonWriter()

    for (let round = 0; round < 100; round += 1) {
      const value = drawn(random, 4) ?? null
      writer.begin()
      writer.value(value)

      expect(written(writer)).toBe(JSON.stringify(value))
    }
  },
)

test('bytes are written as base64, however many are left over', () => {
  const writer = new JsonWriter()
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => (index * 7) & 255))

  for (let length = 0; length < bytes.length; length += 1) {
    writer.begin()
    writer.base64(bytes.subarray(0, length))

    expect(written(writer)).toBe(`"${bytes.toString('base64', 0, length)}"`)
  }
})

test('more than its memory holds is written whole, and the memory is given back', () => {
  const writer = new JsonWriter()
  const texts = ['x', 'é', '\u0001'].map(each => each.repeat(700_000))

  writer.begin()
  writer.value(texts)
  expect(written(writer)).toBe(JSON.stringify(texts))
  writer.begin()
  writer.value(['short'])
  expect(written(writer)).toBe('["short"]')
})
