import { fmix32 } from '../fmix32.ts'

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
 * It knows keys by 32 bits: of absent ones as many as there are keys in 4 billion look like one of them.
 */
export class KeyFilter {
  readonly #layers: Layer[] = [layerOf(firstBlocks)]
  #size = 0

  /** Different keys that were added, but for a few that looked as if they had been. */
  get size(): number {
    return this.#size
  }

  /** `hash` is `hashOfKey` of the key. */
  add(hash: number): void {
    const pattern = fmix32(hash)
    if (this.#has(hash, pattern)) return
    let layer = this.#layers.at(-1)!
    if (layer.keys >= layer.keysMax) {
      const blocks = layer.blockMask + 1
      // Few layers are asked sooner; of a large one less may lie idle.
      layer = layerOf(blocks * (blocks < largeBlocks ? 4 : 2))
      this.#layers.push(layer)
    }
    layer.keys += 1
    this.#size += 1
    const { words } = layer
    const start = (hash & layer.blockMask) * wordsPerBlock
    for (let word = 0; word < wordsPerBlock; word += 1) words[start + word]! |= bitOf(pattern, word)
  }

  /** False only for the hash of a key that was never added. */
  mayHave(hash: number): boolean {
    return this.#has(hash, fmix32(hash))
  }

  #has(hash: number, pattern: number): boolean {
    const layers = this.#layers
    // The last one has most of the keys.
    for (let index = layers.length - 1; index >= 0; index -= 1)
      if (isIn(layers[index]!, hash, pattern)) return true
    return false
  }
}

/** The hash itself says which block, the pattern which bits of it. */
function isIn({ words, blockMask }: Layer, hash: number, pattern: number): boolean {
  const start = (hash & blockMask) * wordsPerBlock
  for (let word = 0; word < wordsPerBlock; word += 1)
    if ((words[start + word]! & bitOf(pattern, word)) === 0) return false
  return true
}

function bitOf(pattern: number, word: number): number {
  return 1 << (Math.imul(pattern, salts[word]!) >>> 27)
}

function layerOf(blocks: number): Layer {
  return {
    words: new Uint32Array(blocks * wordsPerBlock),
    blockMask: blocks - 1,
    keysMax: blocks * keysPerBlock,
    keys: 0,
  }
}
