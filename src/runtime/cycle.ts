import { Tally } from './tally.ts'
import type { ConsumedRecord, GatheredRecords, ProducedRecord } from './ports.ts'

/** Where a record's work began, to take it back. */
export interface CycleMark {
  readonly bytes: number
}

/**
 * What has been produced since the last commit was started; becomes one transaction, together with all tasks' writes and positions.
 * What came before the last mark is settled: it is gathered in the form in which it will travel, and added up.
 */
export class Cycle {
  readonly number: number
  readonly #gathered: GatheredRecords
  readonly #counts = new Tally()
  readonly #outputsByTopic = new Tally()
  /** Since the last mark: these may be taken back. */
  readonly #openOutputs: ProducedRecord[] = []
  readonly #openCounts: string[] = []
  readonly #openAmounts: number[] = []
  bytes = 0
  /** Input records processed in it. */
  records = 0
  /** The last one that was processed in it. */
  lastInput: ConsumedRecord | undefined
  /** Monotonic time of its first content. */
  beganMs: number | undefined

  constructor(number: number, gathered: GatheredRecords) {
    this.number = number
    this.#gathered = gathered
  }

  produce(record: ProducedRecord): void {
    this.#openOutputs.push(record)
    // 70: headers, lengths and offsets of a record, roughly. The bound is about memory, not about the wire.
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0) + 70
  }

  count(name: string, by: number): void {
    this.#openCounts.push(name)
    this.#openAmounts.push(by)
  }

  get hasOutputs(): boolean {
    return this.#openOutputs.length > 0 || !this.#outputsByTopic.isEmpty
  }

  get counts(): ReadonlyMap<string, number> {
    this.#settle()
    return this.#counts.sums
  }

  get outputsByTopic(): ReadonlyMap<string, number> {
    this.#settle()
    return this.#outputsByTopic.sums
  }

  /** Everything produced, for the transaction; what a store has written is added to it. */
  get gathered(): GatheredRecords {
    this.#settle()
    return this.#gathered
  }

  mark(): CycleMark {
    this.#settle()
    return { bytes: this.bytes }
  }

  /** To the last mark, and to no other. */
  undoTo(mark: CycleMark): void {
    this.bytes = mark.bytes
    this.#close()
  }

  // Loops over indexes, here and for every record: an iterator is an object or two.
  #settle(): void {
    const outputs = this.#openOutputs
    for (let index = 0; index < outputs.length; index += 1) {
      const record = outputs[index]!
      this.#gathered.add(record)
      this.#outputsByTopic.add(record.topic, 1)
    }
    const counts = this.#openCounts
    for (let index = 0; index < counts.length; index += 1)
      this.#counts.add(counts[index]!, this.#openAmounts[index]!)
    this.#close()
  }

  #close(): void {
    empty(this.#openOutputs)
    empty(this.#openCounts)
    empty(this.#openAmounts)
  }
}

/** One by one, which keeps the list's room for the next record; a length of 0 gives it away. */
function empty(list: unknown[]): void {
  while (list.length > 0) list.pop()
}
