import type { ConsumedRecord, FetchedBatch } from './ports.ts'

interface QueuedBatch {
  readonly batch: FetchedBatch
  readonly bytes: number
  next: number
}

/** Fetched records of one source partition that wait to be processed, in order. */
export class InputQueue {
  readonly #batches: QueuedBatch[] = []
  /** Next offset to be committed once everything taken has been processed. */
  position: number
  /** End of the log as last heard. */
  highWatermark = 0
  /** Set while a record's schema is looked up: nothing is taken. */
  parked = false

  constructor(position: number) {
    this.position = position
  }

  get size(): number {
    let size = 0
    for (const { batch, next } of this.#batches) size += batch.records.length - next
    return size
  }

  /** Of what waits, bytes; of a batch that has begun all of them. */
  get bytes(): number {
    let bytes = 0
    for (const queued of this.#batches) bytes += queued.bytes
    return bytes
  }

  /** A batch without records only moves the position: markers and aborted data. */
  add(batch: FetchedBatch): void {
    this.highWatermark = batch.highWatermark
    if (batch.records.length === 0 && this.#batches.length === 0) this.position = batch.nextOffset
    else this.#batches.push({ batch, bytes: bytesOf(batch), next: 0 })
  }

  /** The next records, at most `limit`, without taking them. */
  peek(limit: number): readonly ConsumedRecord[] {
    const first = this.#batches[0]
    return first === undefined ? [] : first.batch.records.slice(first.next, first.next + limit)
  }

  /** The first `count` of what `peek` showed have been processed. */
  take(count: number): void {
    const first = this.#batches[0]
    if (first === undefined) return
    first.next += count
    const last = first.batch.records[first.next - 1]
    if (last !== undefined) this.position = last.offset + 1
    while (this.#batches[0] && this.#batches[0].next >= this.#batches[0].batch.records.length) {
      this.position = this.#batches[0].batch.nextOffset
      this.#batches.shift()
    }
  }
}

function bytesOf({ records }: FetchedBatch): number {
  let bytes = 0
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
  return bytes
}
