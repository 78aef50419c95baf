/** Of 32 bytes, a quarter of a cache line and more: a key's eight bits lie together. */
const wordsPerBlock = 8
/** 12.8 bits a key: 3 of 1000 absent keys look like present ones when a layer is full. */
const keysPerBlock = 20
const firstBlocks = 1024
const largeBlocks = 64 * 1024
/** Odd and random, one a word: the split block Bloom filter of Apache Parquet (BloomFilter.md). */
const salts = [
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
] as const

interface Layer {
  readonly words: Uint32Array
  /** A power of two, less one. */
  readonly blockMask: number
  readonly keysMax: number
  keys: number
}

/**
 * A Bloom filter that grows: what was added is always found, what was not is found by chance at times. Layer upon layer, each larger
 * than the one before, because the bits of a full one cannot be spread over a larger one. Two to four bytes a key when they are many.
 */
export class KeyFilter {
  readonly #layers: Layer[] = [layerOf(firstBlocks)]
  #size = 0
  #block = 0
  #pattern = 0

  /** Different keys that were added, but for a few that looked as if they had been. */
  get size(): number {
    return this.#size
  }

  add(key: string): void {
    this.#hash(key)
    if (this.#layers.some(layer => this.#isIn(layer))) return
    let layer = this.#layers.at(-1)!
    if (layer.keys >= layer.keysMax) {
      const blocks = layer.blockMask + 1
      // Few layers are asked sooner; of a large one less may lie idle.
      layer = layerOf(blocks * (blocks < largeBlocks ? 4 : 2))
      this.#layers.push(layer)
    }
    layer.keys += 1
    this.#size += 1
    const start = (this.#block & layer.blockMask) * wordsPerBlock
    for (let word = 0; word < wordsPerBlock; word += 1)
      layer.words[start + word]! |= this.#bitOf(word)
  }

  /** False only for a key that was never added. */
  mayHave(key: string): boolean {
    this.#hash(key)
    // The last one has most of the keys.
    for (let index = this.#layers.length - 1; index >= 0; index -= 1)
      if (this.#isIn(this.#layers[index]!)) return true
    return false
  }

  #isIn({ words, blockMask }: Layer): boolean {
    const start = (this.#block & blockMask) * wordsPerBlock
    for (let word = 0; word < wordsPerBlock; word += 1)
      if ((words[start + word]! & this.#bitOf(word)) === 0) return false
    return true
  }

  #bitOf(word: number): number {
    return 1 << (Math.imul(this.#pattern, salts[word]!) >>> 27)
  }

  /** Two words: one says which block, one which bits of it. */
  #hash(key: string): void {
    let block = 0x811c9dc5
    let pattern = 0x9747b28c
    for (let index = 0; index < key.length; index += 1) {
      const unit = key.charCodeAt(index)
      block = Math.imul(block ^ unit, 0x01000193)
      pattern = Math.imul(pattern ^ unit, 0x5bd1e995)
    }
    this.#block = mixed(block)
    this.#pattern = mixed(pattern)
  }
}

function layerOf(blocks: number): Layer {
  return {
    words: new Uint32Array(blocks * wordsPerBlock),
    blockMask: blocks - 1,
    keysMax: blocks * keysPerBlock,
    keys: 0,
  }
}

/** The end of murmur3: every bit of the hash depends on every bit before. */
function mixed(hash: number): number {
  let bits = hash
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
