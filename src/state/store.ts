import type { Serde } from '../serde.ts'

/**
 * Names a store, its kind and how its values look as bytes. Keys are text. A store belongs to one sub-topology and has
 * one part a task; every part has one partition of the changelog `<application-id>-<name>-changelog`.
 */
export interface StoreDefinition<Value = unknown> {
  readonly name: string
  readonly kind: 'rocksdb' | 'memory'
  /** It has a handful of entries, ever: it needs no share of the memory for stores. @default false */
  readonly isSmall?: boolean
  readonly value: Serde<Value>
  /** Topic settings of the changelog, as Kafka names them (`cleanup.policy`, `retention.ms`, …). */
  readonly changelogConfigs: Readonly<Record<string, string>>
  /**
   * False where what was written is hardly read again before it is on the disk: until then only its bytes are kept, and decoded for whoever
   * asks. Objects that wait for a commit grow old, and those are collected dearly. @default true
   */
  readonly keepsValues?: boolean
  /**
   * From when on the entry may be forgotten, in the record time of its task; undefined: never. Expired entries are deleted
   * by a sweep that goes round the store a little in every commit, so the cost is bounded and nothing is indexed.
   * Whoever reads compares the time itself: the sweep only gives the room back. Written as a method, so that a list of
   * definitions of different values is a list of definitions.
   */
  expiresAtMs?(key: string, value: Value): number | undefined
  /**
   * A key whose value speaks of the other entries. Where a cycle is no transaction it is written behind those that the cycle wrote, so that it is
   * never newer than they are.
   */
  readonly writtenLast?: string
}

/** A store as processors see it: synchronous. Reads see the writes of their own cycle first, then of the one that commits, then the disk. */
export interface KeyValueStore<Value> {
  /**
   * Undefined when there is no entry. A key that nobody declared (`prefetch`) and nobody wrote throws KEY_NOT_LOADED: the
   * runtime takes back what the record did, reads the key and processes the record again. Right, only slower.
   */
  get(key: string): Value | undefined
  /** The value is encoded at once. A frozen object must be frozen all through: put again, it is taken for what it was. */
  put(key: string, value: Value): void
  delete(key: string): void
}

/** Bytes of values after which a scan ends early: a page of large ones is a short page. */
export const scanBytesMax = 8 * 1024 * 1024

/** One entry of a committed write; null deletes. */
export interface StoreWrite {
  readonly key: string
  readonly value: Buffer | null
  /** `hashOfKey` of the key and `rowOfKey`, where they have been made already. */
  readonly hash?: number
  readonly row?: Buffer
}

/** Up to where the changelog is on this disk, and of which incarnation of the topic. */
export interface ChangelogPosition {
  readonly topicId: string
  /** The next changelog offset to be read. */
  readonly offset: number
  /** When it was written, wall clock, milliseconds: how long deletions may have gone unheard. */
  readonly atMs?: number
}

/**
 * Where committed entries lie. It never sees uncommitted data: `apply` is called after the transaction has committed
 * (or by a restore, with what a read_committed reader returned), and writes entries and position in one atomic batch.
 * Keys are ordered by their UTF-8 bytes.
 */
export interface StoreBackend extends AsyncDisposable {
  /** False only for a key, given by its `hashOfKey`, that is certainly not there now: nobody need ask for it. */
  mayHave?(hash: number): boolean
  /** In the order of the keys; undefined for what is not there. Batch first: one call for many keys. */
  getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]>
  /** All or nothing, also when the process dies in it. Later writes of the same key win. */
  apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void>
  /** Undefined on a store that never applied anything. */
  position(): Promise<ChangelogPosition | undefined>
  /**
   * At most `limit` entries with keys after `afterKey` (exclusive; '' for the start) that begin with `prefix`, in order. Fewer when
   * they have reached `scanBytesMax` together, and at least one where there is one: none means the end.
   */
  scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Buffer])[]>
  /** Bytes on disk or in memory, roughly. */
  approximateBytes(): Promise<number>
  close(): Promise<void>
}

/**
 * Opens backends below one state directory that this process owns alone. `open` throws STORE_CORRUPTED for what cannot
 * be read (the caller destroys and restores it), STATE_LOCKED when another live process has it.
 */
export interface StateDirectory extends AsyncDisposable {
  /** Text that was stored under the name (`instance-id`), or what `make` returns, stored durably before it is returned. */
  remember(name: string, make: () => string): Promise<string>
  /** At most so many stores will be open at once, and so many small ones: those that are opened from now on share the memory. */
  expectStores(count: number, small?: number): void
  /** `taskId` is `<sub-topology>_<partition>`. */
  open(taskId: string, store: StoreDefinition): Promise<StoreBackend>
  /** Tasks of which there are stores here, open or not. */
  taskIds(): Promise<readonly string[]>
  /** Deletes one store's files; it must be closed. */
  destroy(taskId: string, store: StoreDefinition): Promise<void>
  /** Absolute path for a file of another owner (the journal); the directory exists. */
  path(fileName: string): string
  close(): Promise<void>
}
