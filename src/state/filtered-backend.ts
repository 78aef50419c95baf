import { KeyFilter } from './key-filter.ts'
import { hashOfKey } from './key-hash.ts'
import { checkKey } from './store-key.ts'
import type { ChangelogPosition, StoreBackend, StoreWrite } from './store.ts'

export interface FilterLimits {
  /** A store with more keys does without: 50 MB of filter. @default 16,000,000 */
  readonly keysMax?: number
  /** Deleted keys stay in the filter until there are so many, and as many as half of all. @default 100,000 */
  readonly forgottenMax?: number
  /** Entries that are read with each `apply` for a new filter. @default 200 */
  readonly entriesPerStep?: number
}

const defaults = Object.freeze({ keysMax: 16_000_000, forgottenMax: 100_000, entriesPerStep: 200 })

/** A filter that is being made: of what lies on the disk, step by step, and of everything that is written meanwhile. */
interface Making {
  readonly filter: KeyFilter
  /** Up to this key the disk has been looked through. */
  cursor: string
}

/**
 * A store's disk that is spared the question for keys which are certainly not there: most of those a stage that looks for repeats
 * asks for. Asking costs several times as much as the rest of a lookup, and RocksDB's own filters are behind it.
 *
 * The filter is used only while it knows every key on the disk, and then its answer is the disk's at the time of the question:
 *
 * 1. Whatever is written goes through `apply`, which tells the filter before it tells the disk.
 * 2. A store that never applied anything begins with an empty filter. Any other begins without one, and makes one: each `apply`
 *    also looks through a few more entries. A key that was there when that began is met by the scan or has been deleted before; every other
 *    one is told by its `apply`. It begins while none is under way, else the keys of that one might be in neither.
 * 3. Deletions are not told: such a key is asked for in vain. When there are many, a new filter is made in the same way beside the old one.
 */
export class FilteredBackend implements StoreBackend {
  readonly #inner: StoreBackend
  readonly #limits: Required<FilterLimits>
  /** Complete, or undefined. */
  #filter: KeyFilter | undefined
  #making: Making | undefined
  #forgotten = 0
  #applying = 0
  /** The step under way. Never rejects. */
  #step: Promise<void> | undefined
  #closed = false
  /** Too many keys, or a disk that cannot be looked through: whoever needs what lies there will hear of it. */
  #givenUp = false

  private constructor(inner: StoreBackend, filter: KeyFilter | undefined, limits: FilterLimits) {
    this.#inner = inner
    this.#filter = filter
    this.#limits = { ...defaults, ...limits }
  }

  /** Nobody else may write to the backend from now on. */
  static async open(inner: StoreBackend, limits: FilterLimits = {}): Promise<FilteredBackend> {
    const isEmpty = (await inner.position()) === undefined
    return new FilteredBackend(inner, isEmpty ? new KeyFilter() : undefined, limits)
  }

  mayHave(hash: number): boolean {
    return this.#closed || this.#filter === undefined || this.#filter.mayHave(hash)
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    const filter = this.#filter
    if (filter === undefined || this.#closed) return this.#inner.getMany(keys)
    const asked: string[] = []
    const places: number[] = []
    const values: (Buffer | undefined)[] = []
    for (let place = 0; place < keys.length; place += 1) {
      const key = keys[place]!
      checkKey(key)
      values.push(undefined)
      if (!filter.mayHave(hashOfKey(key))) continue
      asked.push(key)
      places.push(place)
    }
    if (asked.length === 0) return values
    const found = await this.#inner.getMany(asked)
    for (let index = 0; index < places.length; index += 1) values[places[index]!] = found[index]
    return values
  }

  async apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void> {
    this.#beginIfDue()
    for (let index = 0; index < writes.length; index += 1) {
      const { key, value, hash = hashOfKey(key) } = writes[index]!
      if (value === null) {
        this.#forgotten += 1
        continue
      }
      this.#filter?.add(hash)
      this.#making?.filter.add(hash)
    }
    this.#applying += 1
    try {
      await this.#inner.apply(writes, position)
    } finally {
      this.#applying -= 1
    }
    this.#goOn()
  }

  position(): Promise<ChangelogPosition | undefined> {
    return this.#inner.position()
  }

  scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Buffer])[]> {
    return this.#inner.scan(prefix, afterKey, limit)
  }

  approximateBytes(): Promise<number> {
    return this.#inner.approximateBytes()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#step
    await this.#inner.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #beginIfDue(): void {
    const { keysMax, forgottenMax } = this.#limits
    if ((this.#filter?.size ?? 0) > keysMax || (this.#making?.filter.size ?? 0) > keysMax)
      this.#giveUp()
    if (this.#givenUp || this.#making !== undefined || this.#applying > 0) return
    const size = this.#filter?.size
    if (size !== undefined && this.#forgotten <= Math.max(forgottenMax, size / 2)) return
    this.#forgotten = 0
    this.#making = { filter: new KeyFilter(), cursor: '' }
  }

  #goOn(): void {
    const making = this.#making
    if (making === undefined || this.#step !== undefined || this.#closed) return
    this.#step = this.#lookThroughMore(making)
      .catch(() => this.#giveUp())
      .finally(() => (this.#step = undefined))
  }

  async #lookThroughMore(making: Making): Promise<void> {
    const { entriesPerStep } = this.#limits
    const entries = await this.#inner.scan('', making.cursor, entriesPerStep)
    for (const [key] of entries) making.filter.add(hashOfKey(key))
    const last = entries.at(-1)
    // A page of large values is a short one; only one with nothing is the end.
    if (last !== undefined) {
      making.cursor = last[0]
      return
    }
    if (this.#making !== making) return
    this.#filter = making.filter
    this.#making = undefined
  }

  /** The old filter, if there is one, is still complete; it only grows too large. */
  #giveUp(): void {
    this.#givenUp = true
    this.#making = undefined
    if ((this.#filter?.size ?? 0) > this.#limits.keysMax) this.#filter = undefined
  }
}
