import type { ConsumedRecord, ProducedRecord } from './ports.ts'

/** Where a record's work began, to take it back. */
export interface CycleMark {
  readonly outputs: number
  readonly bytes: number
}

/** What has been produced since the last commit was started; becomes one transaction, together with all tasks' writes and positions. */
export class Cycle {
  readonly number: number
  readonly outputs: ProducedRecord[] = []
  readonly #counts = new Map<string, number>()
  /** Of the record since the last mark: it may be taken back. */
  readonly #unsettled: { readonly name: string; readonly by: number }[] = []
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
    this.#unsettled.push({ name, by })
  }

  get counts(): ReadonlyMap<string, number> {
    this.#settle()
    return this.#counts
  }

  /** Only what comes after the last mark can be taken back. */
  mark(): CycleMark {
    this.#settle()
    return { outputs: this.outputs.length, bytes: this.bytes }
  }

  undoTo(mark: CycleMark): void {
    this.outputs.length = mark.outputs
    this.bytes = mark.bytes
    this.#unsettled.length = 0
  }

  #settle(): void {
    for (const { name, by } of this.#unsettled)
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
    this.#unsettled.length = 0
  }
}
