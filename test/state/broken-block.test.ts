import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { RocksdbDatabase } from '../../src/state/rocksdb-database.ts'
import { temporaryDirectories } from './temporary-directory.ts'

const makeDirectory = temporaryDirectories()
const count = 2000
const keyOf = (index: number): Buffer => Buffer.from(`o|${String(index).padStart(6, '0')}`)

/** An open database that has its entries in a table, in which one block in the middle has been overwritten. */
async function openWithBrokenBlock(): Promise<RocksdbDatabase> {
  const path = join(await makeDirectory(), 'store')
  const random = seededRandom(1)
  const value = (): Buffer =>
    Buffer.from(Array.from({ length: 200 }, () => Math.floor(random.next() * 256)))
  const writing = await RocksdbDatabase.open(path)
  await writing.write(
    Array.from({ length: count }, (_, index) => keyOf(index)),
    Array.from({ length: count }, value),
  )
  await writing.flush()
  await writing.close()
  const database = await RocksdbDatabase.open(path)
  const table = (await readdir(path)).find(name => name.endsWith('.sst'))
  await using file = await open(join(path, table!), 'r+')
  await file.write(Buffer.alloc(64, 0xa5), 0, 64, 200_000)
  return database
}

test('a block that breaks while the store is open is noticed by whoever reads it', async () => {
  await using database = await openWithBrokenBlock()
  const keys = Array.from({ length: count }, (_, index) => keyOf(index))

  await expect(database.getMany(keys)).rejects.toMatchObject({ code: 'STORE_CORRUPTED' })
  const [intact] = await database.getMany([keyOf(0)])

  expect(intact).toHaveLength(200)
})

test('a scan over a broken block fails: it never ends early in silence', async () => {
  await using database = await openWithBrokenBlock()

  const scan = database.scan({ gte: keyOf(0), lt: Buffer.from('p') }, count)

  await expect(scan).rejects.toMatchObject({ code: 'STORE_CORRUPTED' })
})
