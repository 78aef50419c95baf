/** Enough for the batches of one cycle while those of the last are on their way. */
const buffersMax = 16
const firstBytes = 4 * 1024

/** Buffers of batches that the brokers have, for those of the next cycle: memory that is made anew for each is touched anew as well. */
export class SpareBuffers {
  readonly #buffers: Buffer[] = []

  take(): Buffer {
    return this.#buffers.pop() ?? Buffer.allocUnsafe(firstBytes)
  }

  give(buffer: Buffer): void {
    if (this.#buffers.length < buffersMax) this.#buffers.push(buffer)
  }
}
