import { noRow } from './rows.ts'

/** Entries without a purpose that do no harm yet. */
const pointlessMax = 64

/** Rows by when they expire, the nearest first: a binary heap whose entries are dropped when they are met and hold no longer. */
export class ExpiryOrder {
  #rows: number[] = []
  #expiresAtMs: number[] = []

  get size(): number {
    return this.#rows.length
  }

  add(row: number, expiresAtMs: number): void {
    let at = this.#rows.length
    this.#rows.push(row)
    this.#expiresAtMs.push(expiresAtMs)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#expiresAtMs[parent]! <= this.#expiresAtMs[at]!) break
      this.#swap(at, parent)
      at = parent
    }
  }

  /** The nearest one that `holds`; `noRow` without any. It stays. */
  first(holds: (row: number, expiresAtMs: number) => boolean): number {
    while (this.#rows.length > 0) {
      const row = this.#rows[0]!
      if (holds(row, this.#expiresAtMs[0]!)) return row
      this.#dropFirst()
    }
    return noRow
  }

  /** Forgets what no longer holds, when there is much more of it than of the `live`. */
  tidy(live: number, holds: (row: number, expiresAtMs: number) => boolean): void {
    if (this.size <= 2 * live + pointlessMax) return
    const kept = this.#rows
      .map((row, at) => ({ row, expiresAtMs: this.#expiresAtMs[at]! }))
      .filter(each => holds(each.row, each.expiresAtMs))
      // In order they are a heap already.
      .toSorted((a, b) => a.expiresAtMs - b.expiresAtMs)
    this.#rows = kept.map(each => each.row)
    this.#expiresAtMs = kept.map(each => each.expiresAtMs)
  }

  #dropFirst(): void {
    const last = this.#rows.length - 1
    this.#swap(0, last)
    this.#rows.pop()
    this.#expiresAtMs.pop()
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) return
      if (child + 1 < last && this.#expiresAtMs[child + 1]! < this.#expiresAtMs[child]!) child += 1
      if (this.#expiresAtMs[at]! <= this.#expiresAtMs[child]!) return
      this.#swap(at, child)
      at = child
    }
  }

  #swap(left: number, right: number): void {
    const row = this.#rows[left]!
    this.#rows[left] = this.#rows[right]!
    this.#rows[right] = row
    const expiresAtMs = this.#expiresAtMs[left]!
    this.#expiresAtMs[left] = this.#expiresAtMs[right]!
    this.#expiresAtMs[right] = expiresAtMs
  }
}
