import type { ProducedRange, ProducedRecord } from '../runtime/ports.ts'
import { recordBytesMax } from './encode-record-batch.ts'

/** A stretch of one partition's records that makes one batch. */
export interface BatchRange {
  readonly from: number
  readonly to: number
}

/** The records of one `send` for one partition, in order, cut into batches that a broker takes. */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly records: ProducedRecord[] = []
  readonly #ranges: BatchRange[] = []
  #cutAt = 0
  #bytes = 0
  #firstOffset: number | undefined
  #lastOffset = -1

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  add(record: ProducedRecord, batchBytesMax: number): void {
    const bytes = recordBytesMax(record)
    if (this.records.length > this.#cutAt && this.#bytes + bytes > batchBytesMax) this.#cut()
    this.records.push(record)
    this.#bytes += bytes
  }

  /** Nothing is added any more. */
  seal(): void {
    if (this.records.length > this.#cutAt) this.#cut()
  }

  /** The batch that is to be written next; undefined when all are. */
  get head(): BatchRange | undefined {
    return this.#ranges[0]
  }

  acknowledge(baseOffset: number): void {
    const { from, to } = this.#ranges.shift()!
    this.#firstOffset ??= baseOffset
    this.#lastOffset = baseOffset + (to - from) - 1
  }

  /** Where all of it stands; known once every batch is acknowledged. */
  range(): ProducedRange {
    const { topic, partition } = this
    return { topic, partition, firstOffset: this.#firstOffset!, lastOffset: this.#lastOffset }
  }

  /** Cuts the refused batch in two. False when it is a single record. */
  halve(): boolean {
    const { from, to } = this.#ranges[0]!
    if (to - from < 2) return false
    const middle = from + Math.floor((to - from) / 2)
    this.#ranges.splice(0, 1, { from, to: middle }, { from: middle, to })
    return true
  }

  #cut(): void {
    this.#ranges.push({ from: this.#cutAt, to: this.records.length })
    this.#cutAt = this.records.length
    this.#bytes = 0
  }
}

/** One queue for each partition, in order of first appearance. */
export function queuesByPartition(
  records: readonly ProducedRecord[],
  batchBytesMax: number,
): readonly PartitionQueue[] {
  // Two plain maps: a joined key would cost a string for every record.
  const topics = new Map<string, Map<number, PartitionQueue>>()
  const queues: PartitionQueue[] = []
  for (const record of records) {
    let partitions = topics.get(record.topic)
    if (partitions === undefined) topics.set(record.topic, (partitions = new Map()))
    let queue = partitions.get(record.partition)
    if (queue === undefined) {
      queue = new PartitionQueue(record.topic, record.partition)
      partitions.set(record.partition, queue)
      queues.push(queue)
    }
    queue.add(record, batchBytesMax)
  }
  for (const queue of queues) queue.seal()
  return queues
}
