import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { MemoryStoreBackend } from './memory-store-backend.ts'
import { checkName } from './store-key.ts'
import type { StateDirectory, StoreBackend } from './store.ts'

/**
 * A directory whose stores all lie in memory, whatever their kind: each `open` returns an empty one, as after the loss of a
 * disk. Files of other owners lie in a temporary directory that is made when asked for and deleted by `close`.
 */
export function memoryStateDirectory(): StateDirectory {
  return new MemoryStateDirectory()
}

class MemoryStateDirectory implements StateDirectory {
  readonly #remembered = new Map<string, string>()
  readonly #backends = new Set<StoreBackend>()
  #files: string | undefined

  async remember(name: string, make: () => string): Promise<string> {
    const text = this.#remembered.get(name) ?? make()
    this.#remembered.set(name, text)
    return text
  }

  expectStores(): void {}

  async open(): Promise<StoreBackend> {
    const backend = new MemoryStoreBackend()
    this.#backends.add(backend)
    return backend
  }

  async taskIds(): Promise<readonly string[]> {
    return []
  }

  /** Nothing outlives its `close`. */
  async destroy(): Promise<void> {}

  path(fileName: string): string {
    checkName('file', fileName)
    this.#files ??= mkdtempSync(join(tmpdir(), 'mailonce-'))
    return join(this.#files, fileName)
  }

  async close(): Promise<void> {
    for (const backend of this.#backends) await backend.close()
    this.#backends.clear()
    if (this.#files !== undefined) rmSync(this.#files, { recursive: true, force: true })
    this.#files = undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
