interface Entry {
  readonly dueMs: number
  readonly order: number
  readonly id: string
}

/** A binary heap of (due time, id): the earliest first, ties in the order of arrival. Removing is lazy: the caller skips what is no longer waiting. */
export class DueQueue {
  #entries: Entry[] = []
  #order = 0

  get size(): number {
    return this.#entries.length
  }

  /** Infinity when empty. */
  get nextDueMs(): number {
    return this.#entries[0]?.dueMs ?? Infinity
  }

  push(dueMs: number, id: string): void {
    const entries = this.#entries
    let at = entries.length
    const entry = { dueMs, order: (this.#order += 1), id }
    entries.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  /** Takes out the ids due at or before the time, at most `limit`. */
  takeDue(nowMs: number, limit: number): string[] {
    const taken: string[] = []
    while (taken.length < limit && this.nextDueMs <= nowMs) taken.push(this.#pop())
    return taken
  }

  /** Forgets what nobody waits for any more: of each id only the first entry stays that is still wanted. */
  keep(isWanted: (dueMs: number, id: string) => boolean): void {
    const kept = new Map<string, Entry>()
    // In order they are a heap already.
    for (const entry of this.#entries.toSorted(inOrder))
      if (!kept.has(entry.id) && isWanted(entry.dueMs, entry.id)) kept.set(entry.id, entry)
    this.#entries = [...kept.values()]
  }

  clear(): void {
    this.#entries = []
  }

  #pop(): string {
    const entries = this.#entries
    this.#swap(0, entries.length - 1)
    const first = entries.pop()!
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < entries.length && this.#before(left, least)) least = left
      if (right < entries.length && this.#before(right, least)) least = right
      if (least === at) return first.id
      this.#swap(at, least)
      at = least
    }
  }

  #before(left: number, right: number): boolean {
    return inOrder(this.#entries[left]!, this.#entries[right]!) < 0
  }

  #swap(left: number, right: number): void {
    const entries = this.#entries
    const held = entries[left]!
    entries[left] = entries[right]!
    entries[right] = held
  }
}

function inOrder(a: Entry, b: Entry): number {
  return a.dueMs - b.dueMs || a.order - b.order
}
