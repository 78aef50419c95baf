import { StreamsError } from '../errors.ts'
import { strict as assert } from 'node:assert'
import type {
  ConsumedRecord,
  ProducedRange,
  ProducedRecord,
  TopicPartition,
} from '../runtime/ports.ts'
import type { TransactionParticipant } from './transaction-coordinator.ts'

/** `open`: of a transaction without a marker yet. Markers are the broker's own entries and take an offset each. */
export type EntryState = 'committed' | 'open' | 'aborted' | 'marker'

export interface LogEntry {
  readonly record: ConsumedRecord
  readonly producerId: number | undefined
  state: EntryState
}

/** The part of a log that a read_committed reader gets at once. */
export interface CommittedSlice {
  readonly records: readonly ConsumedRecord[]
  readonly nextOffset: number
}

interface KnownBatch {
  readonly epoch: number
  readonly sequence: number
  readonly range: ProducedRange
}

/** So many batches of a producer a partition remembers, to recognise those that come twice. */
const batchesKept = 5

/** Who writes: its transaction and the number of this batch in it, by which a repeated request is recognised. */
export interface BatchOrigin {
  readonly producerId: number
  readonly epoch: number
  readonly sequence: number
}

/** One partition: records and markers by offset, with holes where compaction took something out. */
export class PartitionLog implements TransactionParticipant {
  readonly name: string
  readonly at: TopicPartition
  #entries: LogEntry[] = []
  #startOffset = 0
  #endOffset = 0
  /** First offset of each open transaction, by producer id. */
  readonly #open = new Map<number, number>()
  /** The latest of each producer in its epoch, oldest first. */
  readonly #batches = new Map<number, readonly KnownBatch[]>()
  #waiting: (() => void)[] = []

  constructor(at: TopicPartition) {
    this.at = at
    this.name = `${at.topic}/${at.partition}`
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** The high watermark: every append is on all replicas at once. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** Where the first open transaction begins; what lies before is decided. */
  get lastStableOffset(): number {
    return Math.min(this.#endOffset, ...this.#open.values())
  }

  /** Every entry, open and aborted ones and markers too. */
  get entries(): readonly LogEntry[] {
    return this.#entries
  }

  /** Calls back once, at the next change. */
  onceChanged(listener: () => void): void {
    this.#waiting.push(listener)
  }

  append(records: readonly ProducedRecord[], appendTimeMs: number | undefined): ProducedRange {
    return this.#append(records, appendTimeMs, undefined)
  }

  /** Returns the first answer again when the same batch comes twice. */
  appendTransactional(
    records: readonly ProducedRecord[],
    appendTimeMs: number | undefined,
    origin: BatchOrigin,
  ): ProducedRange {
    return this.#appendOnce(origin, () => {
      if (!this.#open.has(origin.producerId)) this.#open.set(origin.producerId, this.#endOffset)
      return this.#append(records, appendTimeMs, origin.producerId)
    })
  }

  /** Outside any transaction; returns the first answer again when the same batch comes twice. */
  appendIdempotent(
    records: readonly ProducedRecord[],
    appendTimeMs: number | undefined,
    origin: BatchOrigin,
  ): ProducedRange {
    return this.#appendOnce(origin, () => this.#append(records, appendTimeMs, undefined))
  }

  endTransaction(producerId: number, committed: boolean, timestampMs: number): void {
    const firstOffset = this.#open.get(producerId)
    this.#open.delete(producerId)
    for (let index = this.#indexOf(firstOffset ?? this.#endOffset); ; index += 1) {
      const entry = this.#entries[index]
      if (entry === undefined) break
      if (entry.state === 'open' && entry.producerId === producerId)
        entry.state = committed ? 'committed' : 'aborted'
    }
    const record = { ...this.at, offset: this.#endOffset, timestampMs }
    this.#entries.push({
      record: {
        ...record,
        key: Buffer.from(committed ? 'commit' : 'abort'),
        value: null,
        headers: [],
      },
      producerId,
      state: 'marker',
    })
    this.#endOffset += 1
    this.#changed()
  }

  /** Undefined when the offset lies outside the log. Looks at one record at least and at `bytesMax` or a little more. */
  readCommitted(offset: number, bytesMax: number): CommittedSlice | undefined {
    if (offset < this.#startOffset || offset > this.#endOffset) return undefined
    const stable = this.lastStableOffset
    const records: ConsumedRecord[] = []
    let bytes = 0
    for (let index = this.#indexOf(offset); bytes < bytesMax; index += 1) {
      const entry = this.#entries[index]
      if (entry === undefined || entry.record.offset >= stable)
        return { records, nextOffset: Math.max(offset, stable) }
      bytes += sizeOf(entry.record)
      if (entry.state === 'committed') records.push(entry.record)
      if (bytes >= bytesMax) return { records, nextOffset: entry.record.offset + 1 }
    }
    return { records, nextOffset: offset }
  }

  /** Retention by time or size, or an operator's DeleteRecords. */
  deleteBefore(offset: number): void {
    assert(offset <= this.#endOffset, 'nothing beyond the end can be deleted')
    this.#startOffset = Math.max(this.#startOffset, offset)
    this.#entries = this.#entries.slice(this.#indexOf(this.#startOffset))
    this.#changed()
  }

  /** What no broker does by itself: the log ends earlier than before, as from a backup. Nothing may be open in it. */
  cutAt(offset: number): void {
    assert(this.#open.size === 0, 'an open transaction would be cut in two')
    this.#entries = this.#entries.slice(0, this.#indexOf(offset))
    this.#endOffset = offset
    this.#batches.clear()
    this.#changed()
  }

  /**
   * Log compaction below the last stable offset: the last record of each key stays, aborted records go. The end stays where
   * it is. Tombstones are dropped only on demand: Kafka keeps them for `delete.retention.ms`, so that readers behind see them.
   */
  compact(tombstones: 'keep' | 'drop'): void {
    const stable = this.lastStableOffset
    const lastOffsets = new Map<string, number>()
    for (const { record, state } of this.#entries)
      if (state === 'committed' && record.offset < stable)
        lastOffsets.set(record.key?.toString('latin1') ?? '', record.offset)
    this.#entries = this.#entries.filter(({ record, state }) => {
      if (record.offset >= stable || state === 'marker') return true
      const isLast = lastOffsets.get(record.key?.toString('latin1') ?? '') === record.offset
      const isWanted = tombstones === 'keep' || record.value !== null
      return state === 'committed' && isLast && isWanted
    })
    this.#changed()
  }

  /** A broker that came back from an older backup: what was written since is gone. Open transactions must have ended. */
  truncateTo(offset: number): void {
    assert(this.#open.size === 0, 'a log with an open transaction is not truncated')
    this.#entries = this.#entries.slice(0, this.#indexOf(offset))
    this.#endOffset = Math.min(this.#endOffset, offset)
    this.#startOffset = Math.min(this.#startOffset, offset)
    this.#changed()
  }

  /** The copy of a batch that was asked for again may come late, behind those that followed it: nothing is written a second time. */
  #appendOnce({ producerId, epoch, sequence }: BatchOrigin, append: () => ProducedRange) {
    const known = this.#batches.get(producerId) ?? []
    const last = known.at(-1)
    if (last !== undefined && epoch < last.epoch)
      throw new StreamsError('INTERNAL', 'a batch of an earlier epoch: INVALID_PRODUCER_EPOCH')
    const ofEpoch = epoch === last?.epoch ? known : []
    const same = ofEpoch.find(each => each.sequence === sequence)
    if (same !== undefined) return same.range
    if (ofEpoch.length > 0 && sequence !== last!.sequence + 1)
      throw new StreamsError(
        'INTERNAL',
        `batch ${sequence} behind batch ${last!.sequence}: OUT_OF_ORDER_SEQUENCE_NUMBER`,
      )
    const range = append()
    this.#batches.set(producerId, [...ofEpoch, { epoch, sequence, range }].slice(-batchesKept))
    return range
  }

  #append(
    records: readonly ProducedRecord[],
    appendTimeMs: number | undefined,
    producerId: number | undefined,
  ): ProducedRange {
    assert(records.length > 0, 'an empty batch has no range')
    const firstOffset = this.#endOffset
    for (const { key, value, headers, timestampMs } of records) {
      const record = {
        ...this.at,
        offset: this.#endOffset,
        timestampMs: appendTimeMs ?? timestampMs,
        key: copyOf(key),
        value: copyOf(value),
        headers: headers.map(header => ({ key: header.key, value: copyOf(header.value) })),
      }
      const state = producerId === undefined ? 'committed' : 'open'
      this.#entries.push({ record, producerId, state })
      this.#endOffset += 1
    }
    this.#changed()
    return { ...this.at, firstOffset, lastOffset: this.#endOffset - 1 }
  }

  #changed(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const listener of waiting) listener()
  }

  /** Index of the first entry at or after the offset. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.record.offset ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Key, value and headers in bytes: what a batch limit counts, without its framing. */
export function sizeOf(record: Pick<ProducedRecord, 'key' | 'value' | 'headers'>): number {
  let bytes = 1 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const header of record.headers) bytes += header.key.length + (header.value?.length ?? 0)
  return bytes
}

/** As the wire does: what the sender does with its buffer later changes nothing. */
function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}
