import type RocksDB from 'rocksdb-native'

import { StreamsError } from '../errors.ts'
import { InfoLog } from './info-log.ts'
import { bindingError, rocksdbError } from './rocksdb-error.ts'

/** Bounds of one range: `gt` or `gte` below, `lt` above. */
export interface KeyRange {
  readonly gt?: Buffer
  readonly gte?: Buffer
  readonly lt: Buffer
}

export interface RocksdbOptions {
  /** Bytes of writes that are gathered in memory before they become a file; at most twice that is held. @default 8 MiB */
  readonly writeBufferBytes?: number
  /** RocksDB's cache of 32 MiB for blocks that were read; without it they come from the page cache of the operating system. @default true */
  readonly blockCache?: boolean
}

/** Entries that an iterator reads at a time, whatever their size. More would make a scan of small ones a third faster. */
const readAheadMax = 32

const defaults = Object.freeze({ writeBufferBytes: 8 * 1024 * 1024, blockCache: true })

/**
 * One RocksDB, whole: the only code that knows the binding. A batch is always made with `autoDestroy` and flushed in the same
 * breath, because one that is left undestroyed makes `close` wait for ever.
 */
export class RocksdbDatabase implements AsyncDisposable {
  readonly path: string
  readonly #database: RocksDB
  readonly #infoLog: InfoLog
  #closed: Promise<void> | undefined

  private constructor(path: string, database: RocksDB) {
    this.path = path
    this.#database = database
    this.#infoLog = new InfoLog(path)
  }

  /** The directory's parent must exist. Throws STATE_LOCKED, STORE_CORRUPTED, DISK_FULL, ENVIRONMENT_MISSING, CONFIGURATION_INVALID. */
  static async open(path: string, options: RocksdbOptions = {}): Promise<RocksdbDatabase> {
    const { writeBufferBytes, blockCache } = { ...defaults, ...options }
    const Binding = await loadBinding()
    try {
      await InfoLog.deleteOld(path)
      const database = new Binding(path, {
        writeBufferSize: writeBufferBytes,
        blockCache,
        // In the block cache they would push out each other and everything else; without one they are in memory anyway.
        tableCacheIndexAndFilterBlocks: blockCache,
        maxBackgroundJobs: 2,
      })
      await database.ready()
      return new RocksdbDatabase(path, database)
    } catch (error) {
      throw rocksdbError(error, `open ${path}`)
    }
  }

  /** One read for all keys, in their order. */
  getMany(keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
    return this.#do('read', async database => {
      if (keys.length === 0) return []
      const batch = database.read({ capacity: keys.length, autoDestroy: true })
      const values = keys.map(key => batch.get(key))
      const [read] = await Promise.all([Promise.all(values), batch.flush()])
      return read
    })
  }

  /**
   * Each key with the value in its place, null deletes. All or nothing, also when the process dies in it; the log is not flushed, so a
   * machine that dies may lose the last ones, whole.
   */
  write(keys: readonly Buffer[], values: readonly (Buffer | null)[]): Promise<void> {
    return this.#do('write', async database => {
      const batch = database.write({ capacity: keys.length, autoDestroy: true })
      for (let index = 0; index < keys.length; index += 1) {
        const value = values[index]!
        if (value === null) batch.tryDelete(keys[index]!)
        else batch.tryPut(keys[index]!, value)
      }
      await batch.flush()
      this.#infoLog.noteWrite()
    })
  }

  /** Ends after `limit` entries, or with the one whose value makes all of them `bytesMax` or more. */
  scan(
    range: KeyRange,
    limit: number,
    bytesMax = Infinity,
  ): Promise<(readonly [key: Buffer, value: Buffer])[]> {
    return this.#do('scan', async database => {
      const entries: (readonly [Buffer, Buffer])[] = []
      if (limit <= 0) return entries
      const capacity = Math.min(limit, readAheadMax)
      let bytes = 0
      for await (const { key, value } of database.iterator({ ...range, limit, capacity })) {
        entries.push([key, value])
        bytes += value.length
        if (bytes >= bytesMax) break
      }
      return entries
    })
  }

  /** Everything written so far survives a machine that dies. */
  flush(): Promise<void> {
    return this.#do('flush', database => database.flush())
  }

  /** Bytes of the files and of what is still in memory. */
  async approximateBytes(): Promise<number> {
    return this.#do('measure', async database => {
      // Who writes nothing is asked for its size all the same.
      await this.#infoLog.trim()
      const files = await database.getProperty('rocksdb.total-sst-files-size')
      const memory = await database.getProperty('rocksdb.cur-size-all-mem-tables')
      return Number(files ?? 0) + Number(memory ?? 0)
    })
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** Waits for what is under way. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#database.close().catch((error: unknown) => {
      throw rocksdbError(error, `close ${this.path}`)
    })
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #do<Result>(verb: string, act: (database: RocksDB) => Promise<Result>): Promise<Result> {
    if (this.#closed !== undefined) throw new StreamsError('CLOSED', `${this.path} is closed`)
    try {
      return await act(this.#database)
    } catch (error) {
      throw rocksdbError(error, `${verb} ${this.path}`)
    }
  }
}

/** Loaded when the first store is opened: commands that need no store work on machines where it cannot be loaded. */
async function loadBinding(): Promise<typeof RocksDB> {
  try {
    const { default: binding } = await import('rocksdb-native')
    return binding
  } catch (error) {
    throw bindingError(error)
  }
}
