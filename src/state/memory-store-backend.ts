import { StreamsError } from '../errors.ts'
import { SortedKeys } from './sorted-keys.ts'
import { checkKey, compareUtf8 } from './store-key.ts'
import {
  type ChangelogPosition,
  scanBytesMax,
  type StoreBackend,
  type StoreWrite,
} from './store.ts'

/** Entries in memory: for stores of the kind `memory`, restored from their changelog at every start, and for tests. */
export class MemoryStoreBackend implements StoreBackend {
  readonly #values = new Map<string, Buffer>()
  readonly #keys = new SortedKeys()
  #position: ChangelogPosition | undefined
  #bytes = 0
  #closed = false

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    this.#checkOpen()
    keys.forEach(checkKey)
    return keys.map(key => this.#values.get(key))
  }

  async apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void> {
    this.#checkOpen()
    // All keys are checked before the first is written: all or nothing.
    for (const { key } of writes) checkKey(key)
    for (const { key, value } of writes) this.#write(key, value)
    this.#position = { ...position }
  }

  async position(): Promise<ChangelogPosition | undefined> {
    this.#checkOpen()
    return this.#position
  }

  async scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Buffer])[]> {
    this.#checkOpen()
    const found: (readonly [string, Buffer])[] = []
    let bytes = 0
    if (limit <= 0) return found
    for (const key of this.#keys.from(compareUtf8(afterKey, prefix) > 0 ? afterKey : prefix)) {
      if (key === afterKey) continue
      const value = this.#values.get(key)
      if (!key.startsWith(prefix) || value === undefined) break
      found.push([key, value])
      bytes += value.length
      if (found.length >= limit || bytes >= scanBytesMax) break
    }
    return found
  }

  async approximateBytes(): Promise<number> {
    this.#checkOpen()
    return this.#bytes
  }

  get closed(): boolean {
    return this.#closed
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #write(key: string, value: Buffer | null): void {
    const previous = this.#values.get(key)
    if (previous !== undefined) this.#bytes -= key.length + previous.length
    if (value === null) {
      this.#values.delete(key)
      this.#keys.delete(key)
      return
    }
    this.#bytes += key.length + value.length
    this.#values.set(key, value)
    if (previous === undefined) this.#keys.add(key)
  }

  #checkOpen(): void {
    if (this.#closed) throw new StreamsError('CLOSED', 'the store is closed')
  }
}
