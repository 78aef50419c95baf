/** What a table keeps: it brings the hash of its key (`hashOfKey`). */
export interface Keyed {
  readonly key: string
  readonly hash: number
}

const slotsMin = 64
/** Two words a slot: the hash, and the place in the list plus one; 0 is an empty slot. */
const wordsPerSlot = 2
/** Slots that are searched for a key. Keys that come by chance are hardly ever further apart. */
const searchMax = 32

/**
 * Entries by their keys, at most one a key. Unlike a Map it computes no hash, compares hashes where they lie side by side before it touches
 * an entry, and is emptied and filled again at the cost of its entries: nothing is ever deleted from it.
 *
 * Whoever chooses keys can choose many of one hash. An entry that finds no slot near its own lies in a Map, whose hashes nobody can
 * know beforehand. A slot is never emptied, so a search that meets an empty one has met all that could be there.
 */
export class KeyTable<Entry extends Keyed> {
  #entries: Entry[] = []
  #slots = new Int32Array(slotsMin * wordsPerSlot)
  /** A power of two, less one. */
  #mask = slotsMin - 1
  readonly #crowded = new Map<string, Entry>()

  get size(): number {
    return this.#entries.length
  }

  find(key: string, hash: number): Entry | undefined {
    const slots = this.#slots
    const mask = this.#mask
    for (let step = 0; step < searchMax; step += 1) {
      const slot = (hash + step) & mask
      const place = slots[slot * wordsPerSlot + 1]!
      if (place === 0) return undefined
      if (slots[slot * wordsPerSlot] !== hash) continue
      const entry = this.#entries[place - 1]!
      if (entry.key === key) return entry
    }
    return this.#crowded.get(key)
  }

  /** The key must not be there. */
  add(entry: Entry): void {
    // At most half of the slots are taken: a search soon meets an empty one.
    if (this.#entries.push(entry) * 2 > this.#mask) this.#arrange(this.#entries.length * 4)
    else this.#place(entry, this.#entries.length)
  }

  /** These and no others, with different keys; the list is the table's from now on. */
  replace(entries: Entry[]): void {
    this.#entries = entries
    this.#arrange(entries.length * 4)
  }

  /** For `slotsWanted` or a little more; what is far too large is given back. */
  #arrange(slotsWanted: number): void {
    let slots = slotsMin
    while (slots < slotsWanted) slots *= 2
    const present = this.#mask + 1
    if (slots > present || slots * 8 < present) {
      this.#slots = new Int32Array(slots * wordsPerSlot)
      this.#mask = slots - 1
    } else this.#slots.fill(0)
    this.#crowded.clear()
    const entries = this.#entries
    for (let index = 0; index < entries.length; index += 1) this.#place(entries[index]!, index + 1)
  }

  #place(entry: Entry, place: number): void {
    const slots = this.#slots
    const mask = this.#mask
    for (let step = 0; step < searchMax; step += 1) {
      const slot = (entry.hash + step) & mask
      if (slots[slot * wordsPerSlot + 1] !== 0) continue
      slots[slot * wordsPerSlot] = entry.hash
      slots[slot * wordsPerSlot + 1] = place
      return
    }
    this.#crowded.set(entry.key, entry)
  }
}
