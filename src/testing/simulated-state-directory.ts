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

/** A process's state directory on a simulated disk. Stores of the kind `memory` are empty at every `open`. */
export class SimulatedStateDirectory implements StateDirectory {
  readonly #contents: DiskContents
  readonly #operations: DiskOperations
  readonly #release: () => void
  readonly #open = new Map<string, SimulatedBackend>()

  constructor(contents: DiskContents, operations: DiskOperations, release: () => void) {
    this.#contents = contents
    this.#operations = operations
    this.#release = release
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
    const path = `${taskId}/${name}`
    if (this.#open.get(path)?.closed === false)
      throw new StreamsError('STATE_LOCKED', `the store ${path} is open already`)
    const check = (): void => {
      if (this.#contents.corrupted.has(path))
        throw new StreamsError('STORE_CORRUPTED', `the store ${path} cannot be read`)
    }
    const inner = await this.#operations.read(() => {
      check()
      return this.#contents.stores.get(path) ?? new MemoryStoreBackend()
    })
    if (kind !== 'memory') this.#contents.stores.set(path, inner)
    const backend = new SimulatedBackend(inner, this.#operations, check)
    this.#open.set(path, backend)
    return backend
  }

  async taskIds(): Promise<readonly string[]> {
    const paths = await this.#operations.read(() => [...this.#contents.stores.keys()])
    return [...new Set(paths.map(path => path.slice(0, path.indexOf('/'))))]
  }

  async destroy(taskId: string, { name }: StoreDefinition): Promise<void> {
    const path = `${taskId}/${name}`
    await this.#operations.write(() => {
      this.#contents.corrupted.delete(path)
      this.#contents.stores.delete(path)
    })
  }

  /** A name only: nothing of a simulation lies in a file. */
  path(fileName: string): string {
    return `/simulated/${fileName}`
  }

  async close(): Promise<void> {
    for (const backend of this.#open.values()) await backend.close()
    this.#release()
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
  closed = false

  constructor(inner: MemoryStoreBackend, operations: DiskOperations, check: () => void) {
    this.#inner = inner
    this.#operations = operations
    this.#check = check
  }

  getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.#read(() => this.#inner.getMany(keys))
  }

  async apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void> {
    this.#checkOpen()
    for (const { key } of writes) checkKey(key)
    let applied: Promise<void> | undefined
    // The memory backend applies before it returns, so the batch is whole at whatever moment the process dies.
    await this.#operations.write(() => {
      applied = this.#inner.apply(writes, position)
    })
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
    return Promise.resolve()
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
