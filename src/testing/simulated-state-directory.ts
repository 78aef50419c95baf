import { StreamsError } from '../errors.ts'
import { MemoryStoreBackend } from '../state/memory-store-backend.ts'
import { checkKey } from '../state/store-key.ts'
import type {
  ChangelogPosition,
  StateDirectory,
  StoreBackend,
  StoreDefinition,
  StoreWrite,
} from '../state/store.ts'
import type { DiskOperations } from './disk-operations.ts'
import type { DiskContents } from './simulated-disk.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { StoreHolders } from './store-holders.ts'

interface SimulatedDirectoryParts {
  readonly contents: DiskContents
  readonly holders: StoreHolders
  readonly process: SimulatedProcess
  readonly operations: DiskOperations
  readonly release: () => void
}

/** A process's state directory on a simulated disk. Stores of the kind `memory` are empty at every `open`. */
export class SimulatedStateDirectory implements StateDirectory {
  readonly #parts: SimulatedDirectoryParts
  readonly #contents: DiskContents
  readonly #operations: DiskOperations
  readonly #open = new Map<string, SimulatedBackend>()

  constructor(parts: SimulatedDirectoryParts) {
    this.#parts = parts
    this.#contents = parts.contents
    this.#operations = parts.operations
  }

  async remember(name: string, make: () => string): Promise<string> {
    const { remembered } = this.#contents
    if (!remembered.has(name)) {
      const text = make()
      await this.#operations.write(() => remembered.set(name, text))
    }
    return remembered.get(name) ?? ''
  }

  expectStores(): void {}

  async open(taskId: string, { name, kind }: StoreDefinition): Promise<StoreBackend> {
    const { holders, process } = this.#parts
    const path = `${taskId}/${name}`
    const before = this.#open.get(path)
    if (before?.closed === true) await before.close()
    holders.take(path, process)
    const release = (): void => holders.release(path, process)
    const check = (): void => {
      if (this.#contents.corrupted.has(path))
        throw new StreamsError('STORE_CORRUPTED', `the store ${path} cannot be read`)
    }
    try {
      const inner = await this.#operations.read(() => {
        check()
        return this.#contents.stores.get(path) ?? new MemoryStoreBackend()
      })
      if (kind !== 'memory') this.#contents.stores.set(path, inner)
      const backend = new SimulatedBackend(inner, { operations: this.#operations, check, release })
      this.#open.set(path, backend)
      return backend
    } catch (error) {
      release()
      throw error
    }
  }

  async taskIds(): Promise<readonly string[]> {
    const paths = await this.#operations.read(() => [...this.#contents.stores.keys()])
    return [...new Set(paths.map(path => path.slice(0, path.indexOf('/'))))]
  }

  async destroy(taskId: string, { name }: StoreDefinition): Promise<void> {
    const path = `${taskId}/${name}`
    const { holders, process } = this.#parts
    await this.#open.get(path)?.close()
    holders.take(path, process)
    try {
      await this.#operations.write(() => {
        this.#contents.corrupted.delete(path)
        this.#contents.stores.delete(path)
      })
    } finally {
      holders.release(path, process)
    }
  }

  /** A name only: nothing of a simulation lies in a file. */
  path(fileName: string): string {
    return `/simulated/${fileName}`
  }

  async close(): Promise<void> {
    for (const backend of this.#open.values()) await backend.close()
    this.#parts.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** One life of a store: closing it leaves the entries where they are. */
class SimulatedBackend implements StoreBackend {
  readonly #inner: MemoryStoreBackend
  readonly #operations: DiskOperations
  readonly #check: () => void
  readonly #release: () => void
  closed = false
  /** What is being written is written before the files are anybody else's. */
  #applying: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(
    inner: MemoryStoreBackend,
    {
      operations,
      check,
      release,
    }: {
      readonly operations: DiskOperations
      readonly check: () => void
      readonly release: () => void
    },
  ) {
    this.#inner = inner
    this.#operations = operations
    this.#check = check
    this.#release = release
  }

  getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.#read(() => this.#inner.getMany(keys))
  }

  async apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void> {
    this.#checkOpen()
    for (const { key } of writes) checkKey(key)
    let applied: Promise<void> | undefined
    // The memory backend applies before it returns, so the batch is whole at whatever moment the process dies.
    const written = this.#operations.write(() => {
      applied = this.#inner.apply(writes, position)
    })
    this.#applying = Promise.allSettled([this.#applying, written])
    await written
    await applied
  }

  position(): Promise<ChangelogPosition | undefined> {
    return this.#read(() => this.#inner.position())
  }

  scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Buffer])[]> {
    return this.#read(() => this.#inner.scan(prefix, afterKey, limit))
  }

  approximateBytes(): Promise<number> {
    return this.#read(() => this.#inner.approximateBytes())
  }

  close(): Promise<void> {
    this.closed = true
    this.#closing ??= this.#applying.then(this.#release, this.#release)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    this.#checkOpen()
    return this.#operations.read(() => {
      this.#check()
      return read()
    })
  }

  #checkOpen(): void {
    if (this.closed) throw new StreamsError('CLOSED', 'the store is closed')
  }
}
