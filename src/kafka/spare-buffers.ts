const smallestBytes = 16 * 1024
/** Each size is so many times the one below: all batches of a cycle grow together, and what they grow out of is kept as well. */
const growth = 4
/** A batch of records is smaller than this, but for one of a single large record, whose buffer is not kept. */
const largestBytes = 1024 * 1024
/** For the batches of two cycles of a busy worker. */
const keptBytesMax = 32 * 1024 * 1024

/**
 * Buffers of batches that the brokers have, for those of the next cycle. What is made anew for each lives long enough to be taken for
 * old by the collector, which goes through everything when there is much of that.
 */
export class SpareBuffers {
  /** By size: 16 and 64 and 256 KiB and 1 MiB. */
  readonly #bySize = new Map<number, Buffer[]>()
  #keptBytes = 0

  /** One with room for so many bytes at least. */
  take(bytes = smallestBytes): Buffer {
    const size = sizeFor(bytes)
    const spare = this.#bySize.get(size)?.pop()
    // Not out of Node's pool: the smallest would keep four times its size there, with whatever else lies beside it.
    if (spare === undefined) return Buffer.allocUnsafeSlow(size)
    this.#keptBytes -= size
    return spare
  }

  give(buffer: Buffer): void {
    const { length } = buffer
    if (length > largestBytes || this.#keptBytes + length > keptBytesMax) return
    const spares = this.#bySize.get(length)
    if (spares) spares.push(buffer)
    else this.#bySize.set(length, [buffer])
    this.#keptBytes += length
  }
}

function sizeFor(bytes: number): number {
  if (bytes > largestBytes) return bytes
  let size = smallestBytes
  while (size < bytes) size *= growth
  return size
}
