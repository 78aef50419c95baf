import type { RocksdbOptions } from './rocksdb-database.ts'

const mebibyte = 1024 * 1024
/** RocksDB's own default, which the binding cannot change: a store has this one or none. */
const blockCacheBytes = 32 * mebibyte
/** Writes gather in one buffer while another becomes a file. */
const buffersPerStore = 2
const bufferBytes = { min: mebibyte / 2, max: 8 * mebibyte }

/** What a store of a handful of entries gets, however many there are. */
export const smallStore: Required<RocksdbOptions> = Object.freeze({
  writeBufferBytes: 128 * 1024,
  blockCache: false,
})
export const smallStoreBytes = buffersPerStore * smallStore.writeBufferBytes

/**
 * What each of so many stores may use, so that all of them together stay within `bytes`: write buffers first, then a block
 * cache where there is room for one in every store. Without it blocks come from the page cache of the operating system, which
 * gives way by itself. What grows with the keys is left out: some six bytes a key for filters and indexes, RocksDB's and ours.
 */
export function shareStoreMemory(bytes: number, stores: number): Required<RocksdbOptions> {
  const share = bytes / Math.max(1, stores)
  const cached = blockCacheBytes + buffersPerStore * bufferBytes.min
  const blockCache = share >= cached
  const left = (share - (blockCache ? blockCacheBytes : 0)) / buffersPerStore
  const writeBufferBytes = Math.min(bufferBytes.max, Math.max(bufferBytes.min, Math.floor(left)))
  return { writeBufferBytes, blockCache }
}
