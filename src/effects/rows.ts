export const noRow = -1

/** Doubly linked through the columns of the rows: any of a million can leave without a search. */
export interface Line {
  head: number
  tail: number
  size: number
}

export function emptyLine(): Line {
  return { head: noRow, tail: noRow, size: 0 }
}

const capacityMin = 64

/**
 * What memory knows of each open request, in columns: an object each would cost several times as much, and a million of them
 * wait for a time. A row's number is used again when its request has ended.
 */
export class Rows {
  readonly #byIdentity = new Map<string, number>()
  readonly #identities: (string | undefined)[] = []
  readonly #free: number[] = []
  stage = new Uint8Array(capacityMin)
  priority = new Int32Array(capacityMin)
  source = new Uint32Array(capacityMin)
  destinations = new Uint32Array(capacityMin)
  /** Whom it is known to go to, 0 where nobody has asked. */
  relay = new Uint16Array(capacityMin)
  /** 0 when it stands in its source's line, 1 in its lane's, 2 in none. */
  aside = new Uint8Array(capacityMin)
  /** Of the request, bytes. */
  size = new Uint32Array(capacityMin)
  /** Times its bytes were asked for; goes on counting with the next request of the row. */
  loads = new Uint32Array(capacityMin)
  /** From then on it ends without being tried; Infinity: never. */
  expiresAtMs = new Float64Array(capacityMin)
  #next = new Int32Array(capacityMin)
  #previous = new Int32Array(capacityMin)

  get count(): number {
    return this.#byIdentity.size
  }

  /** `noRow` where nobody knows it. */
  find(identity: string): number {
    return this.#byIdentity.get(identity) ?? noRow
  }

  identityOf(row: number): string {
    return this.#identities[row]!
  }

  add(identity: string): number {
    const row = this.#free.pop() ?? this.#identities.length
    if (row >= this.stage.length) this.#grow()
    this.#byIdentity.set(identity, row)
    this.#identities[row] = identity
    this.#next[row] = noRow
    this.#previous[row] = noRow
    return row
  }

  delete(row: number): void {
    this.#byIdentity.delete(this.#identities[row]!)
    this.#identities[row] = undefined
    this.loads[row]! += 1
    this.#free.push(row)
  }

  // ------------------------------------------------------------ lines

  pushLast(line: Line, row: number): void {
    this.#link(line.tail, row, line)
    this.#link(row, noRow, line)
    line.size += 1
  }

  pushFirst(line: Line, row: number): void {
    this.#link(row, line.head, line)
    this.#link(noRow, row, line)
    line.size += 1
  }

  leave(line: Line, row: number): void {
    this.#link(this.#previous[row]!, this.#next[row]!, line)
    line.size -= 1
  }

  /** Makes `right` follow `left` in the line; `noRow` is what lies beyond its ends. */
  #link(left: number, right: number, line: Line): void {
    if (left === noRow) line.head = right
    else this.#next[left] = right
    if (right === noRow) line.tail = left
    else this.#previous[right] = left
  }

  #grow(): void {
    const capacity = Math.ceil(this.stage.length * 1.5)
    this.stage = grown(this.stage, new Uint8Array(capacity))
    this.aside = grown(this.aside, new Uint8Array(capacity))
    this.priority = grown(this.priority, new Int32Array(capacity))
    this.source = grown(this.source, new Uint32Array(capacity))
    this.destinations = grown(this.destinations, new Uint32Array(capacity))
    this.relay = grown(this.relay, new Uint16Array(capacity))
    this.size = grown(this.size, new Uint32Array(capacity))
    this.loads = grown(this.loads, new Uint32Array(capacity))
    this.expiresAtMs = grown(this.expiresAtMs, new Float64Array(capacity))
    this.#next = grown(this.#next, new Int32Array(capacity))
    this.#previous = grown(this.#previous, new Int32Array(capacity))
  }
}

/** The larger column with what the smaller one holds. */
export function grown<Column extends { set(from: ArrayLike<number>): void }>(
  from: ArrayLike<number>,
  to: Column,
): Column {
  to.set(from)
  return to
}
