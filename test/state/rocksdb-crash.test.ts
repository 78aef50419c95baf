import { fork } from 'node:child_process'
import { once } from 'node:events'

import { expect, test } from 'vitest'

import { seededRandom } from '../../src/random.ts'
import { RocksdbStoreBackend } from '../../src/state/rocksdb-store-backend.ts'
import { temporaryDirectories } from './temporary-directory.ts'

const makeDirectory = temporaryDirectories()

/** Kills a writing process after a number of batches; returns the last one that it said was applied. */
async function writeUntilKilled(path: string, batches: number, delay: number): Promise<number> {
  const child = fork(new URL('./batch-writer.ts', import.meta.url), [path])
  const exit = once(child, 'exit')
  let last = 0
  let seen = 0
  child.on('message', offset => {
    last = Number(offset)
    seen += 1
    // A moment that is not tied to the end of a batch: the process writes on while we turn round.
    if (seen === batches) spin(delay, () => child.kill('SIGKILL'))
  })
  await exit
  return last
}

function spin(turns: number, done: () => void): void {
  if (turns === 0) done()
  else setImmediate(() => spin(turns - 1, done))
}

/** What the store must hold when so many batches were applied. */
function expectedEntries(offset: number): Map<string, string> {
  const entries = new Map<string, string>()
  for (let batch = Math.max(0, offset - 10); batch < offset; batch += 1) {
    for (let index = 0; index < 20; index += 1) {
      const key = `key-${(batch * 10 + index) % 50}`
      if (index < 10) entries.set(key, `${batch} `.repeat(100))
      else entries.delete(key)
    }
  }
  return entries
}

test('however often the process is killed, values and position agree and nothing acknowledged is lost', async () => {
  const path = await makeDirectory()
  const random = seededRandom(1)

  for (let life = 0; life < 12; life += 1) {
    const acknowledged = await writeUntilKilled(
      path,
      2 + Math.floor(random.next() * 300),
      Math.floor(random.next() * 200),
    )

    await using backend = await RocksdbStoreBackend.open(path)
    const offset = (await backend.position())?.offset ?? 0
    const entries = await backend.scan('', '', 100)
    expect(offset).toBeGreaterThanOrEqual(acknowledged)
    expect(new Map(entries.map(([key, value]) => [key, value.toString()]))).toEqual(
      expectedEntries(offset),
    )
  }
}, 60_000)
