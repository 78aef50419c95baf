import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import type { Clock } from '../clock.ts'
import { errorCodeOf, StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MemoryStoreBackend } from './memory-store-backend.ts'
import { RocksdbDatabase, type RocksdbOptions } from './rocksdb-database.ts'
import { RocksdbStoreBackend } from './rocksdb-store-backend.ts'
import { rocksdbError } from './rocksdb-error.ts'
import { checkName } from './store-key.ts'
import { freeStores, StoreLocks } from './store-locks.ts'
import { shareStoreMemory, smallStore, smallStoreBytes } from './store-memory.ts'
import type { StateDirectory, StoreBackend, StoreDefinition } from './store.ts'

export interface StateDirectoryOptions {
  /** Where the stores of all applications lie; made if it does not exist. */
  readonly path: string
  /** Has a directory of its own below `path`. Letters, digits, `.`, `_`, `-`. */
  readonly applicationId: string
  readonly log: Logger
  /** Memory that its stores share once their number is known, bytes. @default what RocksDB takes, 48 MiB for each */
  readonly storeMemoryBytes?: number
}

/**
 * Takes the state directory for this process. Stores lie in `<path>/<applicationId>/<taskId>/<storeName>/`. A small RocksDB
 * beside them, `instance`, keeps what is remembered; its file lock is the ownership, and the kernel gives it back whenever the
 * process dies. Throws STATE_LOCKED, ENVIRONMENT_MISSING, DISK_FULL, CONFIGURATION_INVALID.
 */
export async function openStateDirectory(options: StateDirectoryOptions): Promise<StateDirectory> {
  checkName('application id', options.applicationId)
  const path = await makeDirectory(resolve(options.path, options.applicationId))
  try {
    const instance = await RocksdbDatabase.open(join(path, 'instance'), {
      writeBufferBytes: 64 * 1024,
    })
    await freeStores(path)
    return new DiskStateDirectory(path, instance, options)
  } catch (error) {
    throw lockFailure(error, path)
  }
}

/**
 * The state directory that `openStateDirectory` has taken, for another thread of the same process. A store is open in one thread at a
 * time: `open` waits a moment for the thread that has it, then throws STORE_IN_USE. Nothing can be remembered here.
 */
export async function joinStateDirectory(
  options: StateDirectoryOptions & { readonly clock: Clock },
): Promise<StateDirectory> {
  checkName('application id', options.applicationId)
  const path = await makeDirectory(resolve(options.path, options.applicationId))
  return new DiskStateDirectory(path, undefined, options)
}

class DiskStateDirectory implements StateDirectory {
  readonly #path: string
  /** The ownership; undefined in a thread beside the one that has it. */
  readonly #instance: RocksdbDatabase | undefined
  /** Undefined where nobody else has a store. */
  readonly #locks: StoreLocks | undefined
  readonly #log: Logger
  readonly #storeMemoryBytes: number | undefined
  #rocksdb: RocksdbOptions = {}
  readonly #backends = new Map<string, ClosableBackend>()
  readonly #remembered = new Map<string, Promise<string>>()
  #closed: Promise<void> | undefined

  constructor(
    path: string,
    instance: RocksdbDatabase | undefined,
    options: StateDirectoryOptions & { readonly clock?: Clock },
  ) {
    this.#path = path
    this.#instance = instance
    this.#locks = options.clock && new StoreLocks(path, options.clock)
    this.#log = options.log
    this.#storeMemoryBytes = options.storeMemoryBytes
  }

  remember(name: string, make: () => string): Promise<string> {
    const known = this.#remembered.get(name)
    if (known !== undefined) return known
    const text = this.#readOrMake(name, make)
    this.#remembered.set(name, text)
    // A failure is not remembered: the next call tries again.
    text.catch(() => this.#remembered.delete(name))
    return text
  }

  expectStores(count: number, small = 0): void {
    if (this.#storeMemoryBytes !== undefined)
      this.#rocksdb = shareStoreMemory(this.#storeMemoryBytes - small * smallStoreBytes, count)
  }

  async open(taskId: string, store: StoreDefinition): Promise<StoreBackend> {
    if (this.#closed !== undefined) throw new StreamsError('CLOSED', `${this.#path} is closed`)
    const path = this.#pathOf(taskId, store)
    await this.#untilClosed(path)
    const backend = await this.#openBackend(taskId, store)
    this.#backends.set(path, backend)
    return backend
  }

  async taskIds(): Promise<readonly string[]> {
    const entries = await readdir(this.#path, { withFileTypes: true })
    return entries
      .filter(entry => entry.isDirectory() && /^[^~].*_\d+$/.test(entry.name))
      .map(entry => entry.name)
  }

  async destroy(taskId: string, store: StoreDefinition): Promise<void> {
    const path = this.#pathOf(taskId, store)
    await this.#untilClosed(path)
    const release = await this.#lock(taskId, store)
    try {
      await this.#delete(path, `~${taskId}~${store.name}`)
    } finally {
      await release?.()
    }
  }

  /** Renames first: a process that dies in the middle leaves no half of a store behind under the store's name. */
  async #delete(path: string, doomedName: string): Promise<void> {
    const doomed = join(this.#path, doomedName)
    await rm(doomed, { recursive: true, force: true })
    if (!existsSync(path)) return
    await rename(path, doomed)
    await rm(doomed, { recursive: true, force: true })
    this.#log.info({ event: 'store-destroyed', path }, 'deleted a local store')
  }

  path(fileName: string): string {
    checkName('file', fileName)
    return join(this.#path, fileName)
  }

  /** Closes the stores that are still open, then gives the ownership back. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #closeAll(): Promise<void> {
    await Promise.all(Array.from(this.#backends.values(), backend => backend.close()))
    await this.#instance?.close()
  }

  async #readOrMake(name: string, make: () => string): Promise<string> {
    const instance = this.#instance
    assert(instance, 'only the owner of the directory remembers')
    const key = Buffer.from(name)
    const [known] = await instance.getMany([key])
    if (known) return known.toString('utf8')
    const text = make()
    await instance.write([key], [Buffer.from(text)])
    await instance.flush()
    return text
  }

  async #openBackend(taskId: string, store: StoreDefinition): Promise<ClosableBackend> {
    if (store.kind === 'memory') return new MemoryStoreBackend()
    const release = await this.#lock(taskId, store)
    try {
      const sized = store.isSmall === true ? smallStore : this.#rocksdb
      const options = { ...sized, ...(release && { afterClose: release }) }
      return await RocksdbStoreBackend.open(this.#pathOf(taskId, store), options)
    } catch (error) {
      await release?.()
      throw error
    }
  }

  #lock(taskId: string, store: StoreDefinition): Promise<() => Promise<void>> | undefined {
    return this.#locks?.take(`${taskId}~${store.name}`)
  }

  async #untilClosed(path: string): Promise<void> {
    const backend = this.#backends.get(path)
    if (backend === undefined) return
    assert(backend.closed, `${path} is still open`)
    await backend.close()
    this.#backends.delete(path)
  }

  #pathOf(taskId: string, store: StoreDefinition): string {
    checkName('task', taskId)
    checkName('store', store.name)
    return join(this.#path, taskId, store.name)
  }
}

type ClosableBackend = StoreBackend & { readonly closed: boolean }

/** The real path: one directory under two names (a link) has one lock. */
async function makeDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true })
    return await realpath(path)
  } catch (error) {
    const failure = rocksdbError(error, `make the state directory ${path}`)
    if (failure.code !== 'STORE_CORRUPTED') throw failure
    throw new StreamsError('CONFIGURATION_INVALID', failure.message, { cause: error })
  }
}

function lockFailure(error: unknown, path: string): StreamsError {
  const code = errorCodeOf(error)
  if (code === 'STATE_LOCKED') {
    const message = `the state directory ${path} is in use by another live process: stop it, or give this one its own --state-dir`
    return new StreamsError('STATE_LOCKED', message, { cause: error })
  }
  if (code !== 'STORE_CORRUPTED') return error as StreamsError
  // What a person must look at: deleting a lock that somebody else may hold is how two processes come to own one directory.
  const message = `the lock of the state directory cannot be opened: when no process uses it, delete ${join(path, 'instance')} and start again`
  return new StreamsError('CONFIGURATION_INVALID', message, { cause: error })
}
