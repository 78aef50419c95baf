import { compareUtf8 } from './store-key.ts'

const blockLengthMax = 512

/**
 * A sorted set of keys in blocks of at most 512: adding, removing and finding a place cost two binary searches and one
 * short splice, whatever the size.
 */
export class SortedKeys {
  /** Never holds an empty block. */
  readonly #blocks: string[][] = []

  add(key: string): void {
    const blockIndex = Math.max(0, this.#blockAfter(key) - 1)
    const block = this.#blocks[blockIndex]
    if (block === undefined) {
      this.#blocks.push([key])
      return
    }
    const index = lowerBound(block, key)
    if (block[index] === key) return
    block.splice(index, 0, key)
    if (block.length > blockLengthMax)
      this.#blocks.splice(blockIndex + 1, 0, block.splice(blockLengthMax / 2))
  }

  delete(key: string): void {
    const blockIndex = this.#blockAfter(key) - 1
    const block = this.#blocks[blockIndex]
    if (block === undefined) return
    const index = lowerBound(block, key)
    if (block[index] !== key) return
    block.splice(index, 1)
    if (block.length === 0) this.#blocks.splice(blockIndex, 1)
  }

  /** Keys from `key` on, itself included, in order. Must not be changed meanwhile. */
  *from(key: string): Generator<string> {
    const first = Math.max(0, this.#blockAfter(key) - 1)
    for (let blockIndex = first; blockIndex < this.#blocks.length; blockIndex += 1) {
      const block = this.#blocks[blockIndex] ?? []
      const start = blockIndex === first ? lowerBound(block, key) : 0
      for (let index = start; index < block.length; index += 1) yield block[index] ?? ''
    }
  }

  /** Index of the first block that begins behind the key. */
  #blockAfter(key: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareUtf8(this.#blocks[middle]?.[0] ?? '', key) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Index of the first key that is not below the given one. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareUtf8(keys[middle] ?? '', key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
