import { expect, test } from 'vitest'

import { FilteredBackend } from '../../src/state/filtered-backend.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { type ChangelogPosition, scanBytesMax, type StoreWrite } from '../../src/state/store.ts'
import { storeContract } from '../contract/store-contract.ts'

storeContract('filtered', () => FilteredBackend.open(new MemoryStoreBackend()))

const position = { topicId: 'topic-1', offset: 7 }

const puts = (...keys: string[]): StoreWrite[] =>
  keys.map(key => ({ key, value: Buffer.from(`value of ${key}`) }))

/** A disk that says which keys it was asked for, and whose writes can be made to wait. */
class WatchedDisk extends MemoryStoreBackend {
  asked: string[] = []
  writing: Promise<void> | undefined
  scanning: Promise<void> | undefined

  override async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    this.asked.push(...keys)
    return super.getMany(keys)
  }

  override async apply(writes: readonly StoreWrite[], at: ChangelogPosition): Promise<void> {
    await this.writing
    await super.apply(writes, at)
  }

  override async scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [string, Buffer])[]> {
    const found = await super.scan(prefix, afterKey, limit)
    await this.scanning
    return found
  }
}

/** Everything that is under way has had its turn. */
const rest = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

async function texts(backend: FilteredBackend, keys: readonly string[]): Promise<string[]> {
  return (await backend.getMany(keys)).map(value => value?.toString() ?? '-')
}

test('of a store that began empty only keys that were written are asked for', async () => {
  const disk = new WatchedDisk()
  const backend = await FilteredBackend.open(disk)

  await backend.apply(puts('a', 'c'), position)

  expect(await texts(backend, ['a', 'b', 'c', 'd'])).toEqual(['value of a', '-', 'value of c', '-'])
  expect(disk.asked).toEqual(['a', 'c'])
})

test('a key is known to the filter before it is on the disk', async () => {
  const disk = new WatchedDisk()
  const backend = await FilteredBackend.open(disk)
  const { promise, resolve } = Promise.withResolvers<void>()
  disk.writing = promise

  const applied = backend.apply(puts('a'), position)
  await backend.getMany(['a', 'b'])
  resolve()
  await applied

  expect(disk.asked).toEqual(['a'])
})

test('a store that was there before is asked for everything until it has been looked through', async () => {
  const disk = new WatchedDisk()
  await disk.apply(puts('a', 'b', 'c', 'd', 'e'), position)
  const backend = await FilteredBackend.open(disk, { entriesPerStep: 2 })
  const asked: (readonly string[])[] = []

  for (let steps = 0; steps < 5; steps += 1) {
    disk.asked = []
    expect(await texts(backend, ['a', 'e', '-'])).toEqual(['value of a', 'value of e', '-'])
    asked.push(disk.asked)
    await backend.apply(puts('a'), position)
    await rest()
  }

  const everything = ['a', 'e', '-']
  expect(asked).toEqual([everything, everything, everything, everything, ['a', 'e']])
})

test('what is written behind the place up to which a new filter has been made is in it', async () => {
  const disk = new WatchedDisk()
  await disk.apply(puts('m', 'n'), position)
  const backend = await FilteredBackend.open(disk, { entriesPerStep: 2 })
  await backend.apply([], position)
  await rest()

  await backend.apply(puts('a'), position)
  await rest()

  disk.asked = []
  expect(await texts(backend, ['a', 'm', 'q'])).toEqual(['value of a', 'value of m', '-'])
  expect(disk.asked).toEqual(['a', 'm'])
})

test('a page that ends early, because its values are large, is not the end of the disk', async () => {
  const disk = new WatchedDisk()
  const large = Buffer.alloc(scanBytesMax)
  await disk.apply([{ key: 'a', value: large }, ...puts('b', 'c')], position)
  const backend = await FilteredBackend.open(disk, { entriesPerStep: 2 })

  for (let steps = 0; steps < 4; steps += 1) {
    await backend.apply([], position)
    await rest()
  }

  expect(await texts(backend, ['b', 'c', 'd'])).toEqual(['value of b', 'value of c', '-'])
  expect(disk.asked).toEqual(['b', 'c'])
})

test('a new filter is not begun while something is being written that it would not know', async () => {
  const disk = new WatchedDisk()
  const backend = await FilteredBackend.open(disk, { forgottenMax: 2, entriesPerStep: 2 })
  await backend.apply(puts('m'), position)
  const { promise, resolve } = Promise.withResolvers<void>()
  disk.writing = promise
  // It makes a new filter due, and writes before everything the scan still meets.
  const deletions = ['o', 'p', 'q'].map(key => ({ key, value: null }))
  const slow = backend.apply([...deletions, ...puts('a')], position)
  disk.writing = undefined
  for (let steps = 0; steps < 3; steps += 1) {
    await backend.apply(puts('n'), position)
    await rest()
  }

  resolve()
  await slow
  await rest()

  expect(await texts(backend, ['a', 'm', 'n'])).toEqual(['value of a', 'value of m', 'value of n'])
})

test('what was deleted is forgotten when there is much of it', async () => {
  const disk = new WatchedDisk()
  const backend = await FilteredBackend.open(disk, { forgottenMax: 1, entriesPerStep: 10 })
  await backend.apply(puts('a', 'b', 'c'), position)
  await backend.apply(
    ['a', 'b'].map(key => ({ key, value: null })),
    position,
  )

  for (const writes of [puts('d'), []]) {
    await backend.apply(writes, position)
    await rest()
  }

  expect(await texts(backend, ['a', 'b', 'c', 'd'])).toEqual(['-', '-', 'value of c', 'value of d'])
  expect(disk.asked).toEqual(['c', 'd'])
})

test('a store with too many keys does without a filter', async () => {
  const disk = new WatchedDisk()
  const backend = await FilteredBackend.open(disk, { keysMax: 2 })
  await backend.apply(puts('a', 'b', 'c'), position)

  await backend.apply(puts('d'), position)

  await backend.getMany(['a', 'x'])
  expect(disk.asked).toEqual(['a', 'x'])
})

test('a disk that cannot be looked through goes without one, and closes', async () => {
  const disk = new WatchedDisk()
  await disk.apply(puts('a'), position)
  const backend = await FilteredBackend.open(disk)
  disk.scanning = Promise.reject(new Error('broken'))
  disk.scanning.catch(() => undefined)
  await backend.apply(puts('b'), position)
  await rest()

  expect(await texts(backend, ['a', 'x'])).toEqual(['value of a', '-'])
  expect(disk.asked).toEqual(['a', 'x'])
  await backend.close()
})
