import type { ConsumedRecord, ProducedRecord } from './ports.ts'

/** Where a record's work began, to take it back. */
export interface CycleMark {
  readonly outputs: number
  readonly bytes: number
  readonly counts: number
}

/** What has been produced since the last commit was started; becomes one transaction, together with all tasks' writes and positions. */
export class Cycle {
  readonly number: number
  readonly outputs: ProducedRecord[] = []
  readonly #counts: (readonly [name: string, by: number])[] = []
  bytes = 0
  /** Input records processed in it. */
  records = 0
  /** The last one that was processed in it. */
  lastInput: ConsumedRecord | undefined
  /** Monotonic time of its first content. */
  beganMs: number | undefined

  constructor(number: number) {
    this.number = number
  }

  produce(record: ProducedRecord): void {
    this.outputs.push(record)
    // 70: headers, lengths and offsets of a record, roughly. The bound is about memory, not about the wire.
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0) + 70
  }

  count(name: string, by: number): void {
    this.#counts.push([name, by])
  }

  get counts(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>()
    for (const [name, by] of this.#counts) sums.set(name, (sums.get(name) ?? 0) + by)
    return sums
  }

  mark(): CycleMark {
    return { outputs: this.outputs.length, bytes: this.bytes, counts: this.#counts.length }
  }

  undoTo(mark: CycleMark): void {
    this.outputs.length = mark.outputs
    this.bytes = mark.bytes
    this.#counts.length = mark.counts
  }
}
