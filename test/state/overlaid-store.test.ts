import { describe, expect, test } from 'vitest'

import { StreamsError } from '../../src/errors.ts'
import { utf8Serde, type Serde } from '../../src/serde.ts'
import { keyNotLoaded } from '../../src/state/key-not-loaded.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { OverlaidStore } from '../../src/state/overlaid-store.ts'
import type { StoreDefinition, StoreWrite } from '../../src/state/store.ts'

const definition: StoreDefinition<string> = {
  name: 'words',
  kind: 'memory',
  value: utf8Serde,
  changelogConfigs: {},
}

/** Counts reads, and lets a test hold one back. */
class ObservedBackend extends MemoryStoreBackend {
  readonly reads: (readonly string[])[] = []
  gate: Promise<void> = Promise.resolve()

  override async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    this.reads.push(keys)
    const values = await super.getMany(keys)
    await this.gate
    return values
  }
}

interface Bench {
  readonly backend: ObservedBackend
  readonly store: OverlaidStore<string>
  readonly commit: () => Promise<void>
}

async function bench(onDisk: Readonly<Record<string, string>> = {}): Promise<Bench> {
  const backend = new ObservedBackend()
  await backend.apply(
    Object.entries(onDisk).map(([key, value]) => ({ key, value: Buffer.from(value) })),
    { topicId: 't', offset: 1 },
  )
  const store = new OverlaidStore(definition, backend)
  const commit = async (): Promise<void> => {
    await backend.apply(store.freeze(), { topicId: 't', offset: 2 })
    store.retire()
  }
  return { backend, store, commit }
}

function text(writes: readonly StoreWrite[]): (readonly [string, string | null])[] {
  return writes.map(({ key, value }) => [key, value?.toString() ?? null])
}

describe('reading', () => {
  test('a key that nobody loaded says which one it is', async () => {
    const { store } = await bench({ a: 'disk' })

    const failure = catching(() => store.get('a'))

    expect(failure).toMatchObject({ code: 'KEY_NOT_LOADED' })
    expect(keyNotLoaded(failure)).toEqual({ store: definition, key: 'a' })
  })

  test('a wrapped miss is still found, any other error is none', async () => {
    const { store } = await bench()

    const failure = catching(() => store.get('a'))

    expect(keyNotLoaded(new Error('wrapped', { cause: failure }))?.key).toBe('a')
    expect(keyNotLoaded(new StreamsError('KEY_NOT_LOADED', 'made elsewhere'))).toBeUndefined()
    expect(keyNotLoaded('text')).toBeUndefined()
  })

  test('loaded keys answer, those that are not on disk with undefined', async () => {
    const { store } = await bench({ a: 'disk' })

    await store.load(['a', 'b'])

    expect(store.get('a')).toBe('disk')
    expect(store.get('b')).toBeUndefined()
    expect([store.isLoaded('a'), store.isLoaded('b'), store.isLoaded('c')]).toEqual([
      true,
      true,
      false,
    ])
  })

  test('only what no overlay and no earlier load knows is read, each key once, in one call', async () => {
    const { backend, store } = await bench({ a: 'disk' })
    store.put('committing', 'x')
    store.freeze()
    store.put('active', 'x')
    await store.load(['loaded'])

    await store.load(['a', 'active', 'committing', 'loaded', 'b', 'a'])
    await store.load(['a', 'b', 'active'])

    expect(backend.reads).toEqual([['loaded'], ['a', 'b']])
  })

  test('the active cycle hides the committing one, which hides the disk; deletions hide too', async () => {
    const { store } = await bench({ a: 'disk', b: 'disk', c: 'disk', d: 'disk' })
    await store.load(['a', 'b', 'c', 'd'])
    store.put('b', 'committing')
    store.put('c', 'committing')
    store.delete('d')
    store.freeze()

    store.put('c', 'active')

    expect(['a', 'b', 'c', 'd'].map(key => store.get(key))).toEqual([
      'disk',
      'committing',
      'active',
      undefined,
    ])
    store.delete('b')
    expect(store.get('b')).toBeUndefined()
  })

  test('a frozen value that is put again is not encoded again, a changed one is', async () => {
    let encoded = 0
    const value: Serde<{ count: number }> = {
      isReady: () => true,
      prepare: () => Promise.resolve(),
      serialize: each => {
        encoded += 1
        return Buffer.from(String(each.count))
      },
      deserialize: bytes => ({ count: Number(bytes.toString()) }),
    }
    const store = new OverlaidStore(
      { name: 'counts', kind: 'memory', value, changelogConfigs: {} },
      new MemoryStoreBackend(),
    )
    const frozen = Object.freeze({ count: 1 })
    const changing = { count: 1 }

    for (const each of [frozen, frozen, changing]) store.put('a', each)
    changing.count = 2
    store.put('a', changing)

    expect(encoded).toBe(3)
    expect(text(store.freeze())).toEqual([['a', '2']])
  })

  test('undefined is no value', async () => {
    const { store } = await bench()

    expect(() => store.put('a', undefined as unknown as string)).toThrow(/undefined/)
  })
})

describe('taking back one record', () => {
  test('undo restores what was written before the mark, and what was not', async () => {
    const { store } = await bench({ c: 'disk' })
    await store.load(['a', 'b', 'c'])
    store.put('a', 'earlier record')
    const mark = store.mark()
    store.put('a', 'taken back')
    store.delete('a')
    store.put('b', 'taken back')
    store.delete('c')

    store.undoTo(mark)

    expect(['a', 'b', 'c'].map(key => store.get(key))).toEqual([
      'earlier record',
      undefined,
      'disk',
    ])
    expect(text(store.freeze())).toEqual([['a', 'earlier record']])
  })

  test('marks nest: an inner one takes back its own writes only', async () => {
    const { store } = await bench()
    const outer = store.mark()
    store.put('a', '1')
    const inner = store.mark()
    store.put('a', '2')

    store.undoTo(inner)
    expect(store.get('a')).toBe('1')
    store.undoTo(outer)

    expect(store.activeSize).toBe(0)
  })

  test('what was done before the marks were cleared stays, and a mark of then is refused', async () => {
    const { store } = await bench()
    store.mark()
    store.put('a', '1')
    const old = store.mark()
    store.clearMarks()
    const mark = store.mark()
    store.put('b', '2')

    store.undoTo(mark)

    expect(text(store.freeze())).toEqual([['a', '1']])
    expect(() => store.undoTo(old)).toThrow(/mark/)
  })
})

describe('the cycle', () => {
  test('freeze gives the last write of each key in the order of the first, deletions included', async () => {
    const { store } = await bench()
    store.put('b', '1')
    store.put('a', '1')
    store.put('never on disk', '1')
    store.put('b', '2')
    store.delete('never on disk')

    expect(text(store.freeze())).toEqual([
      ['b', '2'],
      ['a', '1'],
      ['never on disk', null],
    ])
    expect([store.activeSize, store.committingSize]).toEqual([0, 3])
  })

  test('only one cycle commits at a time, and only a frozen one retires', async () => {
    const { store } = await bench()

    expect(() => store.retire()).toThrow(/frozen/)
    store.freeze()
    expect(() => store.freeze()).toThrow(/one cycle/)
  })

  test('a value that cannot be encoded fails with its record, not with the commit', async () => {
    const serialize = (): Buffer => {
      throw new Error('no encoding')
    }
    const store = new OverlaidStore<string>(
      { ...definition, value: { ...utf8Serde, serialize } },
      new MemoryStoreBackend(),
    )

    expect(() => store.put('a', 'x')).toThrow('no encoding')
    expect(store.freeze()).toEqual([])
  })

  test('after retire nothing from before the cycle comes to light: its keys must be loaded again', async () => {
    const { store, commit } = await bench({ a: 'old' })
    await store.load(['a'])
    store.put('a', 'new')

    await commit()

    expect(store.isLoaded('a')).toBe(false)
    await store.load(['a'])
    expect(store.get('a')).toBe('new')
  })

  test('writes of the next cycle survive the retiring of the last', async () => {
    const { store } = await bench()
    store.put('a', 'first cycle')
    store.freeze()
    store.put('b', 'second cycle')

    store.retire()

    expect(store.get('b')).toBe('second cycle')
    expect([store.activeSize, store.committingSize]).toEqual([1, 0])
  })

  test('a failed cycle leaves what the disk says', async () => {
    const { store } = await bench({ a: 'disk' })
    await store.load(['a'])
    store.put('a', 'committing')
    store.freeze()
    store.mark()
    store.put('a', 'active')

    store.drop()

    expect(store.isLoaded('a')).toBe(false)
    await store.load(['a'])
    expect(store.get('a')).toBe('disk')
    expect(store.freeze()).toEqual([])
  })

  test('the loaded keys make room when their batch is done, written ones stay', async () => {
    const { store } = await bench({ a: 'disk' })
    await store.load(['a'])
    store.put('b', 'active')

    store.dropLoaded()

    expect([store.isLoaded('a'), store.isLoaded('b')]).toEqual([false, true])
  })

  test('what was written stays while thousands of keys that were only read go', async () => {
    const { store } = await bench({ a: 'disk' })
    store.put('both', 'committing')
    store.put('committing', 'committing')
    store.freeze()
    store.put('both', 'active')
    store.put('active', 'active')
    for (let round = 0; round < 5; round += 1) {
      await store.load(Array.from({ length: 1000 }, (_, index) => `read ${round} ${index}`))
      store.dropLoaded()
    }

    expect(['both', 'committing', 'active'].map(key => store.get(key))).toEqual([
      'active',
      'committing',
      'active',
    ])
    expect(store.isLoaded('read 4 7')).toBe(false)
    store.put('read 4 7', 'new')
    store.retire()
    expect(text(store.freeze())).toEqual([
      ['both', 'active'],
      ['active', 'active'],
      ['read 4 7', 'new'],
    ])
  })

  test('a key that is written when its batch is done is the one that is read', async () => {
    const { store } = await bench()
    await store.load(['a'])
    expect(store.get('a')).toBeUndefined()
    store.freeze()
    store.retire()

    store.put('a', 'new')
    await store.load(['b', 'c', 'd'])

    expect([store.get('b'), store.get('c'), store.get('d')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(store.get('a')).toBe('new')
  })

  test.each(['retire', 'drop', 'dropLoaded'] as const)(
    'a load that was under way during %s keeps nothing of what it read',
    async act => {
      const { backend, store } = await bench({ a: 'old' })
      const gate = Promise.withResolvers<void>()
      backend.gate = gate.promise
      const load = store.load(['a', 'b'])
      store.put('a', 'new')
      await backend.apply(store.freeze(), { topicId: 't', offset: 2 })

      store[act]()
      gate.resolve()
      await load

      expect(store.isLoaded('b')).toBe(false)
      // Still in the committing overlay after dropLoaded alone; else it must be read again, for what it now is.
      await store.load(['a'])
      expect(store.get('a')).toBe('new')
    },
  )
})

describe('values', () => {
  test('scanCommitted shows the disk, decoded, and nothing of the overlays', async () => {
    const { store } = await bench({ 'o|a': '1', 'o|b': '2', 'o|c': '3', 's|a': '4' })
    store.put('o|b', 'active')

    expect(await store.scanCommitted('o|', 'o|a', 10)).toEqual([
      ['o|b', '2'],
      ['o|c', '3'],
    ])
    expect(await store.scanCommitted('o|', '', 1)).toEqual([['o|a', '1']])
  })

  test('what a serde lacks is fetched before values are decoded', async () => {
    let ready = false
    const serde: Serde<string> = {
      ...utf8Serde,
      isReady: () => ready,
      prepare: async () => {
        ready = true
      },
      deserialize: bytes => {
        if (!ready) throw new Error('not prepared')
        return bytes.toString()
      },
    }
    const { backend } = await bench({ a: 'disk' })
    const store = new OverlaidStore({ ...definition, value: serde }, backend)

    await store.load(['a'])
    expect(store.get('a')).toBe('disk')
    ready = false

    expect(await store.scanCommitted('', '', 1)).toEqual([['a', 'disk']])
  })

  test('a stored value that does not decode stops us: it is neither the record nor the disk', async () => {
    const deserialize = (): string => {
      throw new StreamsError('RECORD_UNDECODABLE', 'wrong magic')
    }
    const { backend } = await bench({ a: 'disk' })
    const store = new OverlaidStore(
      { ...definition, value: { ...utf8Serde, deserialize } },
      backend,
    )

    await expect(store.load(['a'])).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})

function catching(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}

describe('a store that keeps no values', () => {
  interface Word {
    readonly text: string
  }
  const serde: Serde<Word> = {
    ...utf8Serde,
    serialize: ({ text: word }) => Buffer.from(word),
    deserialize: bytes => ({ text: bytes.toString() }),
  }
  const frugal = (): OverlaidStore<Word> =>
    new OverlaidStore(
      { name: 'words', kind: 'memory', value: serde, changelogConfigs: {}, keepsValues: false },
      new MemoryStoreBackend(),
    )

  test('decodes what was written for whoever asks, while it is active and while it commits', () => {
    const store = frugal()
    const [one, two] = [{ text: 'one' }, { text: 'two' }]
    store.put('a', one)
    store.mark()
    store.put('a', two)
    store.delete('b')
    expect([store.get('a'), store.get('b')]).toEqual([two, undefined])
    expect(store.get('a')).not.toBe(two)
    store.undoTo(0)
    store.clearMarks()

    const writes = store.freeze()

    expect(store.get('a')).toEqual(one)
    expect(text(writes)).toEqual([['a', 'one']])
  })

  test('keeps frozen ones, which are shared', () => {
    const store = frugal()
    const shared = Object.freeze({ text: 'shared' })

    store.put('a', shared)

    expect(store.get('a')).toBe(shared)
  })
})
