import assert from 'node:assert/strict'

import { StreamsError } from '../errors.ts'
import { hashOfKey } from './key-hash.ts'
import { keyNotLoadedError } from './key-not-loaded.ts'
import { type Keyed, KeyTable } from './key-table.ts'
import { checkKey, rowOfKey } from './store-key.ts'
import type { KeyValueStore, StoreBackend, StoreDefinition, StoreWrite } from './store.ts'

/** What a cycle wrote last under a key. Encoded at once: a value that cannot be encoded fails with its record, not at the commit. */
interface Write<Value> {
  readonly bytes: Buffer | null
  /** Undefined when the key was deleted, or when only the bytes are kept. */
  readonly value: Value | undefined
}

/** Entries with nothing in them that may lie in the table, besides as many as those that were written. */
const emptyMax = 512

/** All that is known of a key. */
class Entry<Value> implements Keyed {
  readonly key: string
  readonly hash: number
  /** Of the cycle that is being processed, and of the one whose transaction is under way. */
  active: Write<Value> | undefined = undefined
  committing: Write<Value> | undefined = undefined
  /** What the disk has, undefined for nothing: believed while the store's era is this one. */
  loaded: Value | undefined = undefined
  era = 0
  /** The last load that reads it. */
  readBy = 0
  /** In the order in which keys were asked to be loaded. */
  place = -1

  constructor(key: string) {
    checkKey(key)
    this.key = key
    this.hash = hashOfKey(key)
  }
}

const deletion: Write<never> = Object.freeze({ bytes: null, value: undefined })

/**
 * The typed store of one task over its backend: all that is not yet committed lies here, in memory, and only here. One entry a key has
 * what is known of it, so that a record finds it once.
 *
 * `get` asks three places in this order: the *active* write (of the cycle that is being processed), the *committing* one
 * (of the cycle whose transaction is under way), and *loaded* (what was read from disk). That never answers with an old
 * value, and never misses a key that was loaded:
 *
 * 1. Between two of `retire`, `drop` and `dropLoaded` the disk changes in nothing but keys with a committing write
 *    (`apply` of that very cycle), and those are answered by a write. So what is loaded is what the disk holds. A filter that says
 *    a key is not there speaks of the disk at that moment, like a read that ends at once.
 * 2. `retire` is called when the cycle is on disk. It drops the committing writes and all that was loaded together, so no value from
 *    before the cycle can come to light below them.
 * 3. Each of the three begins a new era. What was loaded in another is not believed, and a `load` that was under way meanwhile keeps
 *    nothing of what it read.
 * 4. No batch lies between its `load` and its processing while one of the three is called: `retire` and `drop` are called between
 *    two turns of the loop, and a batch whose keys are read ahead is processed or dropped in its turn; `dropLoaded` is called
 *    at the end of the one batch that a task has at a time. So a key that `load` left out, because it had been written, is still
 *    there when the record is processed, although the cycle may have reached the disk meanwhile. If that rule were broken, the key
 *    would be reported as not loaded and be loaded then: slower, not wrong.
 * 5. An entry that somebody may still come by is in the table. `retire`, `drop` and `dropLoaded` alone take entries out of it, none with a
 *    write, and forget the guesses with them. A guess is checked by its key, so a wrong one costs a search.
 *
 * Values are shared with whoever reads them: they are replaced, never changed.
 */
export class OverlaidStore<Value> implements KeyValueStore<Value> {
  readonly definition: StoreDefinition<Value>
  readonly #backend: StoreBackend
  readonly #table = new KeyTable<Entry<Value>>()
  /** With an active write each, in the order of the first. */
  #active: Entry<Value>[] = []
  /** With a committing write each. */
  #committing: Entry<Value>[] | undefined
  /** Grows when what was read from disk so far must no longer be believed. */
  #era = 1
  #loads = 0
  /** Keys that were asked to be loaded in this era. Bounded, because the loop begins a new one with each batch. */
  readonly #asked: Entry<Value>[] = []
  /** Guesses at the key that is wanted next: one of the last two, or the one that was loaded behind the last. */
  #last: Entry<Value> | undefined
  #lastButOne: Entry<Value> | undefined
  #nextPlace = 0
  /** Entries that were written since the first mark, each with its active write from before: taken back from the end. */
  readonly #undoEntries: Entry<Value>[] = []
  readonly #undoWrites: (Write<Value> | undefined)[] = []
  #marked = false
  #writtenBytes = 0

  constructor(definition: StoreDefinition<Value>, backend: StoreBackend) {
    this.definition = definition
    this.#backend = backend
  }

  get(key: string): Value | undefined {
    const entry = this.#find(key)
    if (entry !== undefined) {
      const write = entry.active ?? entry.committing
      if (write !== undefined) return this.#written(key, write)
      if (entry.era === this.#era) return entry.loaded
    }
    throw keyNotLoadedError(this.definition, key)
  }

  put(key: string, value: Value): void {
    assert(value !== undefined, `undefined cannot be put into store '${this.definition.name}'`)
    const entry = this.#entryOf(key)
    const isFrozen = Object.isFrozen(value)
    if (isFrozen && entry.active?.value === value) return
    const isKept = isFrozen || this.definition.keepsValues !== false
    const bytes = this.definition.value.serialize(value)
    this.#write(entry, { bytes, value: isKept ? value : undefined })
  }

  delete(key: string): void {
    this.#write(this.#entryOf(key), deletion)
  }

  /** True when `get` answers. */
  isLoaded(key: string): boolean {
    const entry = this.#find(key)
    return entry !== undefined && this.#isKnown(entry)
  }

  /** One read for all keys that `get` could not answer. Rejects with what the backend says, REGISTRY_UNAVAILABLE included. */
  async load(keys: readonly string[] | ReadonlySet<string>): Promise<void> {
    const era = this.#era
    const wanted: Entry<Value>[] = []
    const wantedKeys: string[] = []
    const load = (this.#loads += 1)
    keys.forEach((key: string) => {
      const entry = this.#entryOf(key)
      entry.place = this.#asked.push(entry) - 1
      if (this.#isKnown(entry) || entry.readBy === load) return
      if (this.#backend.mayHave?.(entry.hash) === false) {
        entry.loaded = undefined
        entry.era = era
        return
      }
      entry.readBy = load
      wanted.push(entry)
      wantedKeys.push(key)
    })
    if (wanted.length === 0) return
    const read = await this.#backend.getMany(wantedKeys)
    for (let index = 0; index < wanted.length; index += 1) {
      const entry = wanted[index]!
      const bytes = read[index]
      const value = bytes === undefined ? undefined : this.#decode(entry.key, bytes)
      const ready = value instanceof Promise ? await value : value
      if (era !== this.#era) return
      entry.loaded = ready
      entry.era = era
    }
  }

  /** Begins a record whose writes can be taken back. */
  mark(): number {
    this.#marked = true
    return this.#undoEntries.length
  }

  /** Takes back every write since the mark; the mark stays. */
  undoTo(mark: number): void {
    assert(
      this.#marked && mark <= this.#undoEntries.length,
      'a mark is undone before it is cleared',
    )
    while (this.#undoEntries.length > mark) {
      const entry = this.#undoEntries.pop()!
      entry.active = this.#undoWrites.pop()
      if (entry.active !== undefined) continue
      const first = this.#active.pop()
      assert(first === entry, 'the last write that began an entry is the first to be taken back')
    }
  }

  /** The records since the first mark are done: nothing of them will be taken back. */
  clearMarks(): void {
    // One by one: the lists keep their room for the next record.
    while (this.#undoEntries.length > 0) {
      this.#undoEntries.pop()
      this.#undoWrites.pop()
    }
    this.#marked = false
  }

  /**
   * The active cycle begins to commit: its last write of each key, in the order in which the keys were first written. Null
   * deletes, also what was never on disk.
   */
  freeze(): readonly StoreWrite[] {
    assert(this.#committing === undefined, 'one cycle commits at a time')
    const entries = this.#active
    this.#committing = entries
    this.#active = []
    this.#writtenBytes = 0
    this.clearMarks()
    return entries.map(frozen)
  }

  /** The committing cycle is on disk. */
  retire(): void {
    assert(this.#committing !== undefined, 'only a cycle that was frozen is retired')
    const committed = this.#committing
    for (let index = 0; index < committed.length; index += 1)
      committed[index]!.committing = undefined
    this.#committing = undefined
    this.#beginEra()
    this.#table.replace([...this.#active])
  }

  /** The cycle failed: everything since the last `retire` never happened. */
  drop(): void {
    this.#active = []
    this.#writtenBytes = 0
    this.#committing = undefined
    this.clearMarks()
    this.#beginEra()
    this.#table.replace([])
  }

  /** The batch is done: what was read for it makes room. */
  dropLoaded(): void {
    this.#beginEra()
    const written = this.activeSize + this.committingSize
    if (this.#table.size <= 2 * written + emptyMax) return
    const committing = this.#committing ?? []
    const others = this.#active.filter(entry => entry.committing === undefined)
    this.#table.replace([...committing, ...others])
  }

  /** What is on disk, and only that: whoever acts on it looks with `load` and `get` for what has been written since. */
  async scanCommitted(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Value])[]> {
    const entries: (readonly [string, Value])[] = []
    for (const [key, bytes] of await this.#backend.scan(prefix, afterKey, limit)) {
      const value = this.#decode(key, bytes)
      entries.push([key, value instanceof Promise ? await value : value])
    }
    return entries
  }

  /** Bytes of all that the active cycle has written, also of what was written over or taken back since. */
  get writtenBytes(): number {
    return this.#writtenBytes
  }

  /** Keys that the active cycle has written. */
  get activeSize(): number {
    return this.#active.length
  }

  /** Keys that the committing cycle has written; 0 when there is none. */
  get committingSize(): number {
    return this.#committing?.length ?? 0
  }

  #written(key: string, { value, bytes }: Write<Value>): Value | undefined {
    return value === undefined && bytes !== null ? this.#deserialize(key, bytes) : value
  }

  #write(entry: Entry<Value>, write: Write<Value>): void {
    if (this.#marked) {
      this.#undoEntries.push(entry)
      this.#undoWrites.push(entry.active)
    }
    if (entry.active === undefined) this.#active.push(entry)
    entry.active = write
    this.#writtenBytes += write.bytes?.length ?? 0
  }

  #isKnown(entry: Entry<Value>): boolean {
    return entry.active !== undefined || entry.committing !== undefined || entry.era === this.#era
  }

  #beginEra(): void {
    this.#era += 1
    // One by one: the list keeps its room for the next batch.
    while (this.#asked.length > 0) this.#asked.pop()!.loaded = undefined
    this.#nextPlace = 0
    this.#last = this.#lastButOne = undefined
  }

  #entryOf(key: string): Entry<Value> {
    const known = this.#find(key)
    if (known !== undefined) return known
    const entry = new Entry<Value>(key)
    this.#table.add(entry)
    return entry
  }

  #find(key: string): Entry<Value> | undefined {
    const last = this.#last
    if (last?.key === key) return last
    let found = this.#lastButOne
    if (found?.key !== key) {
      const asked = this.#asked
      found = this.#nextPlace < asked.length ? asked[this.#nextPlace] : undefined
      if (found?.key !== key) found = this.#table.find(key, hashOfKey(key))
      if (found === undefined) return undefined
      this.#nextPlace = found.place + 1
    }
    this.#lastButOne = last
    this.#last = found
    return found
  }

  /** Without waiting where the serde knows what it needs: for nearly every value. */
  #decode(key: string, bytes: Buffer): Value | Promise<Value> {
    const serde = this.definition.value
    if (serde.isReady(bytes)) return this.#deserialize(key, bytes)
    return serde.prepare(bytes).then(() => this.#deserialize(key, bytes))
  }

  /** Bytes of ours that do not decode are no fault of the record at hand, and would come back from the changelog as they are. */
  #deserialize(key: string, bytes: Buffer): Value {
    try {
      return this.definition.value.deserialize(bytes)
    } catch (cause) {
      const where = `the value of '${key}' in store '${this.definition.name}'`
      throw new StreamsError(
        'INTERNAL',
        `${where} cannot be decoded; did a newer version write it?`,
        { cause },
      )
    }
  }
}

/** The active write of the entry commits from now on. */
function frozen(entry: Entry<unknown>): StoreWrite {
  const { key, hash, active } = entry
  entry.committing = active
  entry.active = undefined
  return { key, value: active!.bytes, hash, row: rowOfKey(key) }
}
