import { expect, test } from 'vitest'
import { FrameReader } from '../../src/kafka/frame-reader.ts'

const sizes = [4, 5, 40_000, 16 * 1024, 4, 200_000, 17]
const frames = sizes.map((size, index) => Buffer.alloc(size, index + 1))
const stream = Buffer.concat(frames.flatMap(frame => [lengthOf(frame.length), frame]))

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}

/** What a socket does: it fills the room it is given as far as something has come, at most `bytesMax` at a time. */
function pour(reader: FrameReader, bytes: Buffer, bytesMax: number): void {
  for (let at = 0; at < bytes.length;) {
    const room = reader.room()
    const count = bytes.copy(room, 0, at, Math.min(at + bytesMax, bytes.length))
    if (count === 0) throw new Error('no room')
    at += count
    reader.read(count)
  }
}

test.each([1, 3, 4, 5, 1000, 16 * 1024, 65_536, Infinity])(
  'frames come out as they went in, when at most %d bytes come at a time',
  bytesMax => {
    const read: Buffer[] = []

    pour(new FrameReader(frame => read.push(frame)), stream, bytesMax)

    expect(read.map(frame => frame.length)).toEqual(sizes)
    expect(Buffer.concat(read).equals(Buffer.concat(frames))).toBe(true)
  },
)

test('the rest of a large frame is read into its own place', () => {
  const read: Buffer[] = []
  const reader = new FrameReader(frame => read.push(frame))
  pour(reader, Buffer.concat([lengthOf(100_000), Buffer.alloc(10)]), Infinity)

  const room = reader.room()
  pour(reader, Buffer.alloc(100_000 - 10, 7), Infinity)

  expect(room.length).toBe(100_000 - 10)
  expect(read[0]!.buffer).toBe(room.buffer)
})

test('a frame is not written to again', () => {
  const read: Buffer[] = []
  const reader = new FrameReader(frame => read.push(frame))

  pour(reader, Buffer.concat([lengthOf(4), Buffer.from('1234')]), Infinity)
  pour(reader, Buffer.concat([lengthOf(4), Buffer.from('5678')]), Infinity)

  expect(read.map(String)).toEqual(['1234', '5678'])
})

test.each([0, 3, 256 * 1024 * 1024 + 1, 0x1503_0300, 0xffff_ffff])(
  'a length of %d is nothing that a broker says',
  length => {
    const reader = new FrameReader(() => undefined)

    expect(() => pour(reader, lengthOf(length), Infinity)).toThrow(/no answer of a broker/u)
  },
)
