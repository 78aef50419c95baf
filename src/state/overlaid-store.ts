import assert from 'node:assert/strict'

import { StreamsError } from '../errors.ts'
import { keyNotLoadedError } from './key-not-loaded.ts'
import type { KeyValueStore, StoreBackend, StoreDefinition, StoreWrite } from './store.ts'

/** What a cycle wrote last under a key. Encoded at once: a value that cannot be encoded fails with its record, not at the commit. */
interface Write<Value> {
  /** Undefined when the key was deleted, or when only the bytes are kept. */
  readonly value: Value | undefined
  readonly bytes: Buffer | null
}

type Overlay<Value> = Map<string, Write<Value>>

const deletion: Write<never> = Object.freeze({ value: undefined, bytes: null })

/**
 * The typed store of one task over its backend: all that is not yet committed lies here, in memory, and only here.
 *
 * `get` asks three places in this order: the *active* overlay (the cycle that is being processed), the *committing* one
 * (the cycle whose transaction is under way), and *loaded* (what was read from disk). That never answers with an old
 * value, and never misses a key that was loaded:
 *
 * 1. Between two of `retire`, `drop` and `dropLoaded` the disk changes in nothing but keys of the committing overlay
 *    (`apply` of that very cycle), and those are answered by an overlay. So what `loaded` answers is what the disk holds.
 * 2. `retire` is called when the cycle is on disk. It drops the committing overlay and `loaded` together, so no value from
 *    before the cycle can come to light below it.
 * 3. A `load` that was under way while one of the three was called keeps nothing of what it read.
 * 4. No batch lies between its `load` and its processing while one of the three is called: `retire` and `drop` are called between
 *    two turns of the loop, and a batch whose keys are read ahead is processed or dropped in its turn; `dropLoaded` is called
 *    at the end of the one batch that a task has at a time. So a key that `load` left out, because an overlay had it, is still
 *    there when the record is processed, although the cycle may have reached the disk meanwhile. If that rule were broken, the key
 *    would be reported as not loaded and be loaded then: slower, not wrong.
 *
 * Values are shared with whoever reads them: they are replaced, never changed.
 */
export class OverlaidStore<Value> implements KeyValueStore<Value> {
  readonly definition: StoreDefinition<Value>
  readonly #backend: StoreBackend
  #active: Overlay<Value> = new Map()
  #committing: Overlay<Value> | undefined
  /** Undefined for a key that is not on disk. Bounded, because the loop drops it with each batch. */
  #loaded = new Map<string, Value | undefined>()
  /** Grows when what was read from disk so far must no longer be believed. */
  #era = 0
  /** What the active overlay held before each write since the first mark: taken back from its end. */
  readonly #undoLog: { readonly key: string; readonly before: Write<Value> | undefined }[] = []
  #marked = false
  #writtenBytes = 0

  constructor(definition: StoreDefinition<Value>, backend: StoreBackend) {
    this.definition = definition
    this.#backend = backend
  }

  get(key: string): Value | undefined {
    const write = this.#active.get(key) ?? this.#committing?.get(key)
    if (write !== undefined) return this.#written(key, write)
    const value = this.#loaded.get(key)
    if (value !== undefined || this.#loaded.has(key)) return value
    throw keyNotLoadedError(this.definition, key)
  }

  put(key: string, value: Value): void {
    assert(value !== undefined, `undefined cannot be put into store '${this.definition.name}'`)
    const isFrozen = Object.isFrozen(value)
    if (isFrozen && this.#active.get(key)?.value === value) return
    const isKept = isFrozen || this.definition.keepsValues !== false
    const bytes = this.definition.value.serialize(value)
    this.#write(key, { value: isKept ? value : undefined, bytes })
  }

  delete(key: string): void {
    this.#write(key, deletion)
  }

  /** True when `get` answers. */
  isLoaded(key: string): boolean {
    return this.#active.has(key) || this.#committing?.has(key) === true || this.#loaded.has(key)
  }

  /** One read for all keys that `get` could not answer. Rejects with what the backend says, REGISTRY_UNAVAILABLE included. */
  async load(keys: Iterable<string>): Promise<void> {
    const wanted: string[] = []
    const different = keys instanceof Set ? (keys as ReadonlySet<string>) : new Set(keys)
    different.forEach(key => void (this.isLoaded(key) || wanted.push(key)))
    if (wanted.length === 0) return
    const era = this.#era
    const read = await this.#backend.getMany(wanted)
    for (let index = 0; index < wanted.length; index += 1) {
      const key = wanted[index]!
      const bytes = read[index]
      const value = bytes === undefined ? undefined : this.#decode(key, bytes)
      const ready = value instanceof Promise ? await value : value
      if (era !== this.#era) return
      this.#loaded.set(key, ready)
    }
  }

  /** Begins a record whose writes can be taken back. */
  mark(): number {
    this.#marked = true
    return this.#undoLog.length
  }

  /** Takes back every write since the mark; the mark stays. */
  undoTo(mark: number): void {
    assert(this.#marked && mark <= this.#undoLog.length, 'a mark is undone before it is cleared')
    while (this.#undoLog.length > mark) {
      const undone = this.#undoLog.pop()
      if (undone?.before !== undefined) this.#active.set(undone.key, undone.before)
      else if (undone !== undefined) this.#active.delete(undone.key)
    }
  }

  /** The records since the first mark are done: nothing of them will be taken back. */
  clearMarks(): void {
    // One by one: the list keeps its room for the next record.
    while (this.#undoLog.length > 0) this.#undoLog.pop()
    this.#marked = false
  }

  /**
   * The active cycle begins to commit: its last write of each key, in the order in which the keys were first written. Null
   * deletes, also what was never on disk.
   */
  freeze(): readonly StoreWrite[] {
    assert(this.#committing === undefined, 'one cycle commits at a time')
    this.#committing = this.#active
    this.#active = new Map()
    this.#writtenBytes = 0
    this.clearMarks()
    const writes: StoreWrite[] = []
    this.#committing.forEach(({ bytes }, key) => writes.push({ key, value: bytes }))
    return writes
  }

  /** The committing cycle is on disk. */
  retire(): void {
    assert(this.#committing !== undefined, 'only a cycle that was frozen is retired')
    this.#committing = undefined
    this.dropLoaded()
  }

  /** The cycle failed: everything since the last `retire` never happened. */
  drop(): void {
    this.#active = new Map()
    this.#writtenBytes = 0
    this.#committing = undefined
    this.clearMarks()
    this.dropLoaded()
  }

  /** The batch is done: what was read for it makes room. */
  dropLoaded(): void {
    this.#loaded = new Map()
    this.#era += 1
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
    return this.#active.size
  }

  /** Keys that the committing cycle has written; 0 when there is none. */
  get committingSize(): number {
    return this.#committing?.size ?? 0
  }

  #written(key: string, { value, bytes }: Write<Value>): Value | undefined {
    return value === undefined && bytes !== null ? this.#deserialize(key, bytes) : value
  }

  #write(key: string, write: Write<Value>): void {
    if (this.#marked) this.#undoLog.push({ key, before: this.#active.get(key) })
    this.#active.set(key, write)
    this.#writtenBytes += write.bytes?.length ?? 0
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
