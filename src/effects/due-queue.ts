import { grown } from './rows.ts'

const capacityMin = 64

/** A binary heap of rows by due time, each in it at most once: the earliest first, ties in the order of arrival. Columns, no objects. */
export class DueQueue {
  #heap = new Int32Array(capacityMin)
  #size = 0
  /** By row: its place in the heap plus one; 0 when it is not there. */
  #place = new Uint32Array(capacityMin)
  #dueMs = new Float64Array(capacityMin)
  #order = new Float64Array(capacityMin)
  #orders = 0

  get size(): number {
    return this.#size
  }

  /** Infinity when empty. */
  get nextDueMs(): number {
    return this.#size === 0 ? Infinity : this.#dueMs[this.#heap[0]!]!
  }

  /** Puts the row in, or moves it to another time; `Infinity` takes it out. */
  set(row: number, dueMs: number): void {
    this.delete(row)
    if (dueMs === Infinity) return
    if (row >= this.#place.length) this.#grow(row)
    this.#dueMs[row] = dueMs
    this.#order[row] = this.#orders += 1
    this.#size += 1
    this.#rise(row, this.#size - 1)
  }

  delete(row: number): void {
    const at = (this.#place[row] ?? 0) - 1
    if (at < 0) return
    this.#place[row] = 0
    this.#size -= 1
    if (at === this.#size) return
    const last = this.#heap[this.#size]!
    if (this.#isBefore(last, row)) this.#rise(last, at)
    else this.#sink(last, at)
  }

  /** Takes out the rows due at or before the time, at most `limit`. */
  takeDue(nowMs: number, limit: number): number[] {
    const taken: number[] = []
    while (taken.length < limit && this.nextDueMs <= nowMs) {
      const row = this.#heap[0]!
      this.delete(row)
      taken.push(row)
    }
    return taken
  }

  #rise(row: number, from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.#heap[parent]!
      if (!this.#isBefore(row, above)) break
      this.#put(above, at)
      at = parent
    }
    this.#put(row, at)
  }

  #sink(row: number, from: number): void {
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && this.#isBefore(this.#heap[child + 1]!, this.#heap[child]!))
        child += 1
      const below = this.#heap[child]!
      if (!this.#isBefore(below, row)) break
      this.#put(below, at)
      at = child
    }
    this.#put(row, at)
  }

  #put(row: number, at: number): void {
    this.#heap[at] = row
    this.#place[row] = at + 1
  }

  #isBefore(left: number, right: number): boolean {
    const byTime = this.#dueMs[left]! - this.#dueMs[right]!
    return byTime === 0 ? this.#order[left]! < this.#order[right]! : byTime < 0
  }

  #grow(row: number): void {
    const capacity = Math.max(row + 1, Math.ceil(this.#place.length * 1.5))
    this.#heap = grown(this.#heap, new Int32Array(capacity))
    this.#place = grown(this.#place, new Uint32Array(capacity))
    this.#dueMs = grown(this.#dueMs, new Float64Array(capacity))
    this.#order = grown(this.#order, new Float64Array(capacity))
  }
}
