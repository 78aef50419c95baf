import type { StreamsError } from '../errors.ts'
import type { FetchedBatch, TopicPartition } from '../runtime/ports.ts'
import { CommittedRecordsReader } from './committed-records.ts'
import type { FetchedPartition } from './wire-requests.ts'

/**
 * One assigned partition: where reading stands and what has arrived. A new assignment makes a new object, so an
 * answer to a fetch that was under way before finds nobody.
 */
export class FetchPosition {
  readonly at: TopicPartition
  readonly topic: string
  readonly partition: number
  /** The next offset to ask for. */
  offset: number
  paused = false
  /** A fetch of it is under way. */
  inFlight = false
  leader: number | undefined
  /** Thrown by every poll until the partition is assigned anew or given up. */
  failure: StreamsError | undefined
  #response: FetchedPartition | undefined
  #reader: CommittedRecordsReader | undefined

  constructor(at: TopicPartition, offset: number) {
    this.at = { topic: at.topic, partition: at.partition }
    this.topic = at.topic
    this.partition = at.partition
    this.offset = offset
  }

  get buffered(): boolean {
    return this.#response !== undefined
  }

  /** True when a fetch should be made of it now. */
  get wanted(): boolean {
    return (
      !this.paused && !this.inFlight && this.#response === undefined && this.failure === undefined
    )
  }

  /** Keeps an answer that brings something. */
  accept(response: FetchedPartition): boolean {
    if (response.bytes.length === 0) return false
    const { bytes, abortedTransactions } = response
    this.#response = response
    this.#reader = new CommittedRecordsReader(this.at, bytes, abortedTransactions, this.offset)
    return true
  }

  /**
   * Decodes at least so many records, if there are as many, and lets the rest wait: now, not on arrival, so that a paused partition
   * costs its bytes only.
   */
  take(recordsMin: number): FetchedBatch | undefined {
    const [response, reader] = [this.#response, this.#reader]
    if (response === undefined || reader === undefined) return undefined
    // What turns out to be damaged is dropped with all that follows, and fetched again.
    this.#response = undefined
    const { records, nextOffset } = reader.read(recordsMin)
    if (reader.hasMore) this.#response = response
    if (nextOffset === this.offset) return undefined
    this.offset = nextOffset
    const { topic, partition } = this
    const { highWatermark, logStartOffset } = response
    return { topic, partition, records, nextOffset, highWatermark, logStartOffset }
  }
}
