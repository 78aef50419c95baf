/** Sequence numbers by partition: 0 to 2^31 - 1, then 0 again (KIP-98). They begin anew with every epoch. */
export class Sequences {
  readonly #next = new Map<string, number>()

  next(partitionKey: string): number {
    return this.#next.get(partitionKey) ?? 0
  }

  advance(partitionKey: string, count: number): void {
    this.#next.set(partitionKey, (this.next(partitionKey) + count) % 2 ** 31)
  }

  /** A new producer id or epoch. */
  restart(): void {
    this.#next.clear()
  }
}
