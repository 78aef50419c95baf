import { errorCodeOf } from '../errors.ts'
import type { ChangelogPosition, StoreBackend, StoreWrite } from '../state/store.ts'

/**
 * A store's disk, and whether it has ever failed as one that cannot be read does. Opening looks at little of it: a broken block
 * shows itself when somebody asks for what lies there, and whoever restores the store must know then that these files are lost.
 */
export class WatchedBackend implements StoreBackend {
  readonly #inner: StoreBackend
  #isCorrupted = false

  constructor(inner: StoreBackend) {
    this.#inner = inner
  }

  /** Something of it could not be read or written, and not for lack of room or rights: only new files help. */
  get isCorrupted(): boolean {
    return this.#isCorrupted
  }

  mayHave(hash: number): boolean {
    return this.#inner.mayHave?.(hash) ?? true
  }

  getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.#watch(this.#inner.getMany(keys))
  }

  apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void> {
    return this.#watch(this.#inner.apply(writes, position))
  }

  position(): Promise<ChangelogPosition | undefined> {
    return this.#watch(this.#inner.position())
  }

  scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Buffer])[]> {
    return this.#watch(this.#inner.scan(prefix, afterKey, limit))
  }

  approximateBytes(): Promise<number> {
    return this.#watch(this.#inner.approximateBytes())
  }

  /** Files that are lost anyway may fail to close. */
  async close(): Promise<void> {
    try {
      await this.#inner.close()
    } catch (error) {
      if (errorCodeOf(error) !== 'STORE_CORRUPTED') throw error
      this.#isCorrupted = true
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #watch<Result>(result: Promise<Result>): Promise<Result> {
    try {
      return await result
    } catch (error) {
      if (errorCodeOf(error) === 'STORE_CORRUPTED') this.#isCorrupted = true
      throw error
    }
  }
}
