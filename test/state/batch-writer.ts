import { RocksdbStoreBackend } from '../../src/state/rocksdb-store-backend.ts'

/**
 * Goes on from the stored position and applies batch after batch until it is killed. Batch n writes n under ten keys of its own ring of
 * fifty and deletes the ten that follow, so that values, gaps and position tell of one another.
 */
const [path = ''] = process.argv.slice(2)
process.on('disconnect', () => process.exit())
const backend = await RocksdbStoreBackend.open(path, { writeBufferBytes: 64 * 1024 })
const start = (await backend.position())?.offset ?? 0
process.send?.(start)
for (let offset = start; ; offset += 1) {
  const writes = Array.from({ length: 20 }, (_, index) => ({
    key: `key-${(offset * 10 + index) % 50}`,
    value: index < 10 ? Buffer.from(`${offset} `.repeat(100)) : null,
  }))
  await backend.apply(writes, { topicId: 'topic', offset: offset + 1 })
  process.send?.(offset + 1)
}
