import { afterEach, describe, expect, test } from 'vitest'

import type { StoreBackend, StoreWrite } from '../../src/state/store.ts'

const position = { topicId: 'topic-1', offset: 7 }

function puts(...keys: string[]): StoreWrite[] {
  return keys.map(key => ({ key, value: Buffer.from(`value of ${key}`) }))
}

function keysOf(entries: readonly (readonly [string, Buffer])[]): string[] {
  return entries.map(([key]) => key)
}

/** What every store backend promises; `open` returns an empty one. */
export function storeContract(name: string, open: () => Promise<StoreBackend>): void {
  describe(`store contract: ${name}`, () => {
    const opened: StoreBackend[] = []
    const openEmpty = async (): Promise<StoreBackend> => {
      const backend = await open()
      opened.push(backend)
      return backend
    }
    afterEach(async () => {
      for (const backend of opened.splice(0)) await backend.close()
    })

    describe('reading', () => {
      readingContract(openEmpty)
    })
    describe('applying', () => {
      applyingContract(openEmpty)
    })
    describe('scanning', () => {
      scanningContract(openEmpty)
    })
    describe('closing', () => {
      closingContract(openEmpty)
    })
  })
}

function readingContract(open: () => Promise<StoreBackend>): void {
  test('an empty store has no position, no entries and no values', async () => {
    const backend = await open()

    expect(await backend.position()).toBeUndefined()
    expect(await backend.scan('', '', 10)).toEqual([])
    expect(await backend.getMany(['a'])).toEqual([undefined])
  })

  test('values come in the order of the keys, undefined for what is missing, also when a key is asked twice', async () => {
    const backend = await open()
    await backend.apply(puts('a', 'b'), position)

    const values = await backend.getMany(['b', 'missing', 'a', 'b'])

    expect(values.map(value => value?.toString())).toEqual([
      'value of b',
      undefined,
      'value of a',
      'value of b',
    ])
  })

  test('no keys, no values', async () => {
    const backend = await open()

    expect(await backend.getMany([])).toEqual([])
  })

  test('a thousand keys are read in one call', async () => {
    const backend = await open()
    const keys = Array.from({ length: 1000 }, (_, index) => `key-${index}`)
    await backend.apply(puts(...keys), position)

    const values = await backend.getMany(keys)

    expect(values.map(String)).toEqual(keys.map(key => `value of ${key}`))
  })

  test('bytes come back as they were written, an empty value is a value', async () => {
    const backend = await open()
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    await backend.apply(
      [
        { key: 'bytes', value: bytes },
        { key: 'empty', value: Buffer.alloc(0) },
      ],
      position,
    )

    const values = await backend.getMany(['bytes', 'empty'])

    expect(values).toEqual([bytes, Buffer.alloc(0)])
  })

  test.each([
    { key: '', rule: 'the empty key' },
    { key: 'a\ud800', rule: 'a lone surrogate' },
  ])('$rule is refused everywhere: it could not be told from another', async ({ key }) => {
    const backend = await open()

    await expect(backend.getMany([key])).rejects.toThrow(/store key/)
    await expect(backend.apply(puts('before', key), position)).rejects.toThrow(/store key/)
    expect(await backend.getMany(['before'])).toEqual([undefined])
  })
}

function applyingContract(open: () => Promise<StoreBackend>): void {
  test('the position is the one of the last batch', async () => {
    const backend = await open()

    await backend.apply(puts('a'), { topicId: 'topic-1', offset: 1 })
    await backend.apply(puts('b'), { topicId: 'topic-2', offset: Number.MAX_SAFE_INTEGER })

    expect(await backend.position()).toEqual({
      topicId: 'topic-2',
      offset: Number.MAX_SAFE_INTEGER,
    })
  })

  test('a batch without writes moves the position', async () => {
    const backend = await open()

    await backend.apply([], position)

    expect(await backend.position()).toEqual(position)
  })

  test('null deletes, also what is not there', async () => {
    const backend = await open()
    await backend.apply(puts('a', 'b'), position)

    await backend.apply(
      [
        { key: 'a', value: null },
        { key: 'never there', value: null },
      ],
      position,
    )

    expect(await backend.getMany(['a', 'never there'])).toEqual([undefined, undefined])
    expect(keysOf(await backend.scan('', '', 10))).toEqual(['b'])
  })

  test.each([
    { rule: 'put after delete', values: [null, 'last'], last: 'last' },
    { rule: 'delete after put', values: ['first', null], last: undefined },
    { rule: 'put after put', values: ['first', 'last'], last: 'last' },
  ])('the later write of one key wins: $rule', async ({ values, last }) => {
    const backend = await open()

    await backend.apply(
      values.map(value => ({ key: 'a', value: value === null ? null : Buffer.from(value) })),
      position,
    )

    const [value] = await backend.getMany(['a'])
    expect(value?.toString()).toBe(last)
    expect(await backend.scan('', '', 10)).toHaveLength(last === undefined ? 0 : 1)
  })

  test('more entries take more room', async () => {
    const backend = await open()
    const before = await backend.approximateBytes()

    await backend.apply(
      Array.from({ length: 100 }, (_, index) => ({ key: `${index}`, value: Buffer.alloc(2000) })),
      position,
    )

    expect(await backend.approximateBytes()).toBeGreaterThan(before + 100_000)
  })
}

function scanningContract(open: () => Promise<StoreBackend>): void {
  test('entries are ordered by the UTF-8 bytes of their keys, not by UTF-16', async () => {
    const backend = await open()
    const keys = ['\u{1f4e7}', '\uffee', 'é', 'z', 'a', 'a\0', '\0', '\x01', '\x7f', 'ab']
    await backend.apply(puts(...keys), position)

    const entries = await backend.scan('', '', 100)

    expect(keysOf(entries)).toEqual(
      keys.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))),
    )
    expect(entries.map(([, value]) => value.toString())).toEqual(
      keysOf(entries).map(key => `value of ${key}`),
    )
  })

  test('only keys with the prefix, from its first to its last', async () => {
    const backend = await open()
    await backend.apply(puts('o', 'o|', 'o|a', 'o|\u{10ffff}', 'o}', 'p|a'), position)

    const entries = await backend.scan('o|', '', 10)

    expect(keysOf(entries)).toEqual(['o|', 'o|a', 'o|\u{10ffff}'])
  })

  test.each([
    { prefix: '', after: 'b', found: ['c', 'p1', 'p2'] },
    { prefix: '', after: 'between b and c', found: ['c', 'p1', 'p2'] },
    { prefix: '', after: 'z', found: [] },
    { prefix: 'p', after: 'a', found: ['p1', 'p2'] },
    { prefix: 'p', after: 'p', found: ['p1', 'p2'] },
    { prefix: 'p', after: 'p1', found: ['p2'] },
    { prefix: 'p', after: 'p2', found: [] },
    { prefix: 'p', after: 'q', found: [] },
  ])('prefix "$prefix" after "$after" goes on at $found', async ({ prefix, after, found }) => {
    const backend = await open()
    await backend.apply(puts('a', 'b', 'c', 'p1', 'p2'), position)

    expect(keysOf(await backend.scan(prefix, after, 10))).toEqual(found)
  })

  test.each([1, 2, 7, 300])('pages of %i see every entry once', async limit => {
    const backend = await open()
    const keys = Array.from({ length: 700 }, (_, index) => `key-${String(index).padStart(3, '0')}`)
    await backend.apply(puts(...keys), position)

    const seen: string[] = []
    for (;;) {
      const page = await backend.scan('key-', seen.at(-1) ?? '', limit)
      expect(page.length).toBeLessThanOrEqual(limit)
      if (page.length === 0) break
      seen.push(...keysOf(page))
    }

    expect(seen).toEqual(keys)
  })

  test('a page of large values is short, and none is left out', async () => {
    const backend = await open()
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const value = Buffer.alloc(3 * 1024 * 1024)
    await backend.apply(
      keys.map(key => ({ key, value })),
      position,
    )

    const pages: string[][] = []
    for (let after = ''; ;) {
      const page = keysOf(await backend.scan('', after, 100))
      if (page.length === 0) break
      pages.push(page)
      after = page.at(-1)!
    }

    expect(pages).toEqual([['a', 'b', 'c'], ['d', 'e', 'f'], ['g']])
  })

  test('a limit of nothing finds nothing', async () => {
    const backend = await open()
    await backend.apply(puts('a'), position)

    expect(await backend.scan('', '', 0)).toEqual([])
  })
}

function closingContract(open: () => Promise<StoreBackend>): void {
  test('closing twice is fine, using it afterwards is CLOSED', async () => {
    const backend = await open()
    await backend.apply(puts('a'), position)

    await backend.close()
    await backend.close()

    const closed = expect.objectContaining({ code: 'CLOSED' }) as unknown
    await expect(backend.getMany(['a'])).rejects.toEqual(closed)
    await expect(backend.apply([], position)).rejects.toEqual(closed)
    await expect(backend.position()).rejects.toEqual(closed)
    await expect(backend.scan('', '', 1)).rejects.toEqual(closed)
    await expect(backend.approximateBytes()).rejects.toEqual(closed)
  })

  test('closing waits for what is under way', async () => {
    const backend = await open()
    const applied = backend.apply(puts('a', 'b'), position)
    const read = backend.getMany(['a'])
    const found = backend.scan('', '', 10)

    await backend.close()

    await expect(Promise.all([applied, read, found])).resolves.toHaveLength(3)
  })
}
