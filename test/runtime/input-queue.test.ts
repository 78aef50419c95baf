import { beforeEach, expect, test } from 'vitest'
import { InputQueue } from '../../src/runtime/input-queue.ts'
import type { ConsumedRecord, FetchedBatch } from '../../src/runtime/ports.ts'

let queue: InputQueue

beforeEach(() => {
  queue = new InputQueue(10)
})

/** Records at these offsets, of a batch that ends before `nextOffset`. */
function batch(offsets: readonly number[], nextOffset: number): FetchedBatch {
  const place = { topic: 'in', partition: 0 }
  const records = offsets.map((offset): ConsumedRecord => ({
    ...place,
    offset,
    timestampMs: 0,
    key: null,
    value: null,
    headers: [],
  }))
  return { ...place, records, nextOffset, highWatermark: 100, logStartOffset: 0 }
}

const offsetsOf = (records: readonly ConsumedRecord[]): number[] => records.map(each => each.offset)

test('what is looked at stays until it is taken', () => {
  queue.add(batch([10, 11, 12], 13))

  expect(offsetsOf(queue.peek(2))).toEqual([10, 11])
  expect(offsetsOf(queue.peek(2))).toEqual([10, 11])
  queue.take(2)
  expect(offsetsOf(queue.peek(2))).toEqual([12])
  expect(queue.size).toBe(1)
})

test('the position is behind the last record that was taken, not behind what was only fetched', () => {
  queue.add(batch([10, 11], 12))
  queue.add(batch([12], 13))

  queue.take(1)

  expect(queue.position).toBe(11)
})

test('at the end of a batch the position steps over what followed its records', () => {
  queue.add(batch([10, 11], 15))

  queue.take(2)

  expect(queue.position).toBe(15)
})

test('markers alone move the position, but never past records that wait', () => {
  queue.add(batch([], 12))
  expect(queue.position).toBe(12)

  queue.add(batch([12], 13))
  queue.add(batch([], 20))
  expect(queue.position).toBe(12)

  queue.take(1)
  expect(queue.position).toBe(20)
  expect(queue.peek(5)).toEqual([])
})

test('batches are looked at one by one, in order', () => {
  queue.add(batch([10], 11))
  queue.add(batch([11, 12], 13))

  expect(offsetsOf(queue.peek(10))).toEqual([10])
  queue.take(1)
  expect(offsetsOf(queue.peek(10))).toEqual([11, 12])
})

test('taking from an empty queue does nothing', () => {
  queue.take(3)

  expect([queue.position, queue.size]).toEqual([10, 0])
})

test('it knows the end of the log as last heard', () => {
  queue.add(batch([10], 11))

  expect(queue.highWatermark).toBe(100)
})

test('it weighs what waits in it: keys and values, until their batch is through', () => {
  const large = { ...batch([10], 11).records[0]!, key: Buffer.alloc(10), value: Buffer.alloc(90) }
  queue.add({ ...batch([], 12), records: [large, { ...large, offset: 11 }] })
  const before = queue.bytes

  queue.take(2)

  expect([before, queue.bytes]).toEqual([200, 0])
})
