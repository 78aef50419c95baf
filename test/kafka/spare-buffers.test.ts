import { expect, test } from 'vitest'

import { SpareBuffers } from '../../src/kafka/spare-buffers.ts'

const mebibyte = 1024 * 1024

test('what was given back is taken again, by whoever needs as much', () => {
  const spares = new SpareBuffers()
  const [small, large] = [spares.take(), spares.take(100_000)]
  spares.give(small)
  spares.give(large)

  expect(spares.take(70_000)).toBe(large)
  expect(spares.take(1)).toBe(small)
  expect(spares.take(1)).not.toBe(small)
})

test.each([1, 4096, 4097, 900_000, 5 * mebibyte])('there is room for %i bytes', bytes => {
  expect(new SpareBuffers().take(bytes).length).toBeGreaterThanOrEqual(bytes)
})

test('a buffer of a record that is larger than any batch is not kept', () => {
  const spares = new SpareBuffers()
  const huge = spares.take(5 * mebibyte)

  spares.give(huge)

  expect(spares.take(5 * mebibyte)).not.toBe(huge)
})

test('not more is kept than a busy worker needs', () => {
  const spares = new SpareBuffers()
  const all = Array.from({ length: 50 }, () => spares.take(mebibyte))
  for (const each of all) spares.give(each)

  const again = Array.from({ length: 50 }, () => spares.take(mebibyte))

  expect(again.filter(each => all.includes(each))).toHaveLength(32)
})

test.each([1, 20_000, mebibyte])('one for %i bytes keeps no memory but its own', bytes => {
  const taken = new SpareBuffers().take(bytes)

  expect(taken.buffer.byteLength).toBe(taken.length)
})
