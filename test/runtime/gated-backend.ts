import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'

/** A disk whose answers wait until they are let go: what they say was read before. */
export class GatedBackend extends MemoryStoreBackend {
  reads: (readonly string[])[] = []
  #gate: Promise<void> | undefined
  #open: () => void = () => undefined

  hold(): void {
    this.#gate = new Promise(resolve => (this.#open = resolve))
  }

  letGo(): void {
    this.#gate = undefined
    this.#open()
  }

  override async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    this.reads.push(keys)
    const values = await super.getMany(keys)
    await this.#gate
    return values
  }
}
