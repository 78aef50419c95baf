import type { TableBound, TableView } from '../global-table.ts'

/** Entries that are looked at to find one that may be forgotten. */
const looksMax = 10

/**
 * The entries of a global table. Each partition has a map of its own: a `Map` takes 16 million entries and no more, and a
 * key that producers with different partitioners have written to two partitions is found as long as one of them has it.
 */
export class TableContent<Value> implements TableView<Value> {
  readonly #partitions: readonly Map<string, Value>[]
  readonly #bound: TableBound<Value> | undefined

  constructor(partitions: number, bound?: TableBound<Value>) {
    this.#bound = bound
    this.#partitions = Array.from({ length: partitions }, () => new Map<string, Value>())
  }

  get size(): number {
    return this.#partitions.reduce((sum, entries) => sum + entries.size, 0)
  }

  get(key: string): Value | undefined {
    for (const entries of this.#partitions) {
      const value = entries.get(key)
      if (value !== undefined) return value
    }
    return undefined
  }

  put(partition: number, key: string, value: Value): void {
    const entries = this.#partitions[partition]
    if (entries === undefined) return
    // The latest stand last.
    if (this.#bound) entries.delete(key)
    entries.set(key, value)
    if (this.#bound) this.#forgetOldest(entries, this.#bound)
  }

  delete(partition: number, key: string): void {
    this.#partitions[partition]?.delete(key)
  }

  /** Those that must stay are put behind the others, a few at a time: nobody looks at them at each turn. */
  #forgetOldest(entries: Map<string, Value>, { entriesMax, mayForget }: TableBound<Value>): void {
    if (entries.size <= entriesMax / this.#partitions.length) return
    let looks = 0
    for (const [key, value] of entries) {
      entries.delete(key)
      if (mayForget(value)) return
      entries.set(key, value)
      if ((looks += 1) === looksMax) return
    }
  }
}
