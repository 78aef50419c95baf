import type { GatheredRecords, ProducedRange, ProducedRecord } from '../runtime/ports.ts'
import { type BatchIdentity, RecordBatchWriter, recordBytesMax } from './record-batch-writer.ts'
import { SpareBuffers } from './spare-buffers.ts'

/** Below the 1 MiB that a broker takes by default. */
const batchBytesMax = 900_000

/** The records of one `send` for one partition, in order, as batches that a broker takes. */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly #bytesMax: number
  readonly #spares: SpareBuffers
  readonly #batches: RecordBatchWriter[] = []
  #firstOffset: number | undefined
  #lastOffset = -1

  constructor(topic: string, partition: number, bytesMax: number, spares: SpareBuffers) {
    this.topic = topic
    this.partition = partition
    this.#bytesMax = bytesMax
    this.#spares = spares
  }

  add(record: ProducedRecord): void {
    let last = this.#batches.at(-1)
    if (last === undefined || last.byteLength + recordBytesMax(record) > this.#bytesMax) {
      last = new RecordBatchWriter(this.#spares)
      this.#batches.push(last)
    }
    last.add(record)
  }

  /** False when everything has been written. */
  get hasMore(): boolean {
    return this.#batches.length > 0
  }

  /** The batch that is to be written next. */
  sealHead(identity: BatchIdentity): Buffer {
    return this.#batches[0]!.seal(identity)
  }

  /** The broker has the first batch; returns the records of it. */
  acknowledge(baseOffset: number): number {
    const acknowledged = this.#batches.shift()!
    const { count } = acknowledged
    // A request settles when nothing more of it is written: none that carried it can say anything else now.
    acknowledged.release()
    this.#firstOffset ??= baseOffset
    this.#lastOffset = baseOffset + count - 1
    return count
  }

  /** Where all of it stands; known once every batch is acknowledged. */
  range(): ProducedRange {
    const { topic, partition } = this
    return { topic, partition, firstOffset: this.#firstOffset!, lastOffset: this.#lastOffset }
  }

  /** Cuts the refused batch in two. False when it is a single record. */
  halve(): boolean {
    const head = this.#batches[0]!
    if (head.count < 2) return false
    this.#batches.splice(0, 1, ...head.halves())
    return true
  }
}

/** One queue for each partition, in order of first appearance: the form in which records wait for their transaction. */
export class PartitionQueues implements GatheredRecords {
  readonly queues: PartitionQueue[] = []
  // Two plain maps: a joined key would cost a string for every record.
  readonly #topics = new Map<string, Map<number, PartitionQueue>>()
  readonly #bytesMax: number
  readonly #spares: SpareBuffers

  constructor(bytesMax = batchBytesMax, spares = new SpareBuffers()) {
    this.#bytesMax = bytesMax
    this.#spares = spares
  }

  add(record: ProducedRecord): void {
    const { topic, partition } = record
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) this.#topics.set(topic, (partitions = new Map()))
    let queue = partitions.get(partition)
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition, this.#bytesMax, this.#spares)
      partitions.set(partition, queue)
      this.queues.push(queue)
    }
    queue.add(record)
  }
}
