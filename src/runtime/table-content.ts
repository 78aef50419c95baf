import type { TableView } from '../global-table.ts'

/**
 * The entries of a global table. Each partition has a map of its own: a `Map` takes 16 million entries and no more, and a
 * key that producers with different partitioners have written to two partitions is found as long as one of them has it.
 */
export class TableContent<Value> implements TableView<Value> {
  readonly #partitions: readonly Map<string, Value>[]

  constructor(partitions: number) {
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
    this.#partitions[partition]?.set(key, value)
  }

  delete(partition: number, key: string): void {
    this.#partitions[partition]?.delete(key)
  }
}
