import { expect, test } from 'vitest'
import { shareStoreMemory, smallStoreBytes } from '../../src/state/store-memory.ts'

const mebibyte = 1024 * 1024

test.each([
  { bytes: 256 * mebibyte, stores: 30, writeBufferBytes: 4.26 * mebibyte, blockCache: false },
  { bytes: 256 * mebibyte, stores: 6, writeBufferBytes: 5.33 * mebibyte, blockCache: true },
  { bytes: 256 * mebibyte, stores: 1, writeBufferBytes: 8 * mebibyte, blockCache: true },
  { bytes: 32 * mebibyte, stores: 100, writeBufferBytes: mebibyte / 2, blockCache: false },
  { bytes: 32 * mebibyte, stores: 0, writeBufferBytes: 8 * mebibyte, blockCache: false },
])('$stores stores share $bytes bytes', ({ bytes, stores, writeBufferBytes, blockCache }) => {
  const shared = shareStoreMemory(bytes, stores)

  expect(shared.blockCache).toBe(blockCache)
  expect(shared.writeBufferBytes / mebibyte).toBeCloseTo(writeBufferBytes / mebibyte, 1)
})

test('small stores take next to nothing, and together with the others no more than there is', () => {
  const bytes = 128 * mebibyte
  const [stores, small] = [30, 18]

  const { writeBufferBytes } = shareStoreMemory(bytes - small * smallStoreBytes, stores)

  expect(smallStoreBytes).toBeLessThanOrEqual(mebibyte / 4)
  expect(writeBufferBytes).toBeGreaterThan(1.5 * mebibyte)
  expect(2 * writeBufferBytes * stores + small * smallStoreBytes).toBeLessThanOrEqual(bytes)
})

test.each([64, 128, 256, 1024])(
  'all stores together stay within %i MiB, however many there are',
  size => {
    const bytes = size * mebibyte
    for (let stores = 1; stores <= size; stores += 1) {
      const { writeBufferBytes, blockCache } = shareStoreMemory(bytes, stores)
      const each = 2 * writeBufferBytes + (blockCache ? 32 * mebibyte : 0)
      expect(each * stores).toBeLessThanOrEqual(bytes)
    }
  },
)
