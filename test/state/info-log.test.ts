import { appendFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RocksdbDatabase } from '../../src/state/rocksdb-database.ts'
import { temporaryDirectories } from './temporary-directory.ts'

const newDirectory = temporaryDirectories()
const key = Buffer.from('k')
const longLine = 'x'.repeat(300 * 1024)

async function logBytes(path: string): Promise<number> {
  return (await stat(join(path, 'LOG'))).blocks * 512
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(setImmediate)
}

test("a store's log is cut when it has grown large, and its store goes on", async () => {
  const path = await newDirectory()
  await using database = await RocksdbDatabase.open(path)
  await appendFile(join(path, 'LOG'), longLine)

  for (let write = 0; write < 256; write += 1) await database.write([key], [Buffer.from('v')])
  await until(async () => (await logBytes(path)) === 0)

  await database.flush()
  expect(await logBytes(path)).toBeGreaterThan(0)
  expect(await logBytes(path)).toBeLessThan(256 * 1024)
  expect(await database.getMany([key])).toEqual([Buffer.from('v')])
})

test('so is that of a store that nobody writes to, when its size is asked for', async () => {
  const path = await newDirectory()
  await using database = await RocksdbDatabase.open(path)
  const short = await logBytes(path)
  await database.approximateBytes()
  const before = await logBytes(path)
  await appendFile(join(path, 'LOG'), longLine)

  await database.approximateBytes()

  expect(before).toBe(short)
  expect(await logBytes(path)).toBe(0)
})

test('of the logs of earlier runs only the last is kept', async () => {
  const path = await newDirectory()
  for (let run = 0; run < 4; run += 1) await (await RocksdbDatabase.open(path)).close()

  const old = (await readdir(path)).filter(name => name.startsWith('LOG.old.'))

  expect(old).toHaveLength(1)
})
