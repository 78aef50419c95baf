import { strict as assert } from 'node:assert'
import { StreamsError } from '../errors.ts'
import {
  type CommittedRecordsFetcher,
  type FetchedBatch,
  type FetcherOptions,
  partitionKey,
  type TopicPartition,
} from '../runtime/ports.ts'
import type { MemoryBroker } from './memory-broker.ts'
import { answered, type Answer } from './network.ts'
import { type Connection, pause } from './retries.ts'

/** One partition being read. A new `assign` makes a new one, so that what is under way for the old one finds nobody. */
interface Position {
  readonly at: TopicPartition
  offset: number
  paused: boolean
  fetching: boolean
  buffered: FetchedBatch | undefined
  failure: StreamsError | undefined
}

/** Reads committed records from the broker in memory: one fetch or one buffered response a partition. */
export class MemoryFetcher implements CommittedRecordsFetcher {
  readonly #broker: MemoryBroker
  readonly #connection: Connection
  readonly #options: FetcherOptions
  /** In the order in which they are handed out next. */
  readonly #positions = new Map<string, Position>()
  #listener: () => void = () => undefined
  #closed = false

  constructor(broker: MemoryBroker, connection: Connection, options: FetcherOptions) {
    this.#broker = broker
    this.#connection = connection
    this.#options = options
  }

  assign(at: TopicPartition, offset: number): void {
    const { topic, partition } = at
    const position: Position = {
      at: { topic, partition },
      offset,
      paused: false,
      fetching: false,
      buffered: undefined,
      failure: undefined,
    }
    this.#positions.set(partitionKey(at), position)
    this.#fetchIfNeeded(position)
  }

  unassign(at: TopicPartition): void {
    this.#positions.delete(partitionKey(at))
  }

  pause(at: TopicPartition): void {
    const position = this.#positions.get(partitionKey(at))
    if (position !== undefined) position.paused = true
  }

  resume(at: TopicPartition): void {
    const position = this.#positions.get(partitionKey(at))
    if (position === undefined || !position.paused) return
    position.paused = false
    if (position.buffered === undefined && position.failure === undefined)
      this.#fetchIfNeeded(position)
    else this.#listener()
  }

  poll(): FetchedBatch[] {
    if (this.#closed) throw new StreamsError('CLOSED', 'the fetcher is closed')
    const ready = Array.from(this.#positions.values()).filter(position => !position.paused)
    // Before anything is handed out: what was taken by a call that throws would be lost.
    for (const { failure } of ready) if (failure !== undefined) throw failure

    const batches: FetchedBatch[] = []
    for (const position of ready) {
      if (position.buffered === undefined) continue
      batches.push(position.buffered)
      position.offset = position.buffered.nextOffset
      position.buffered = undefined
      // Whoever was served goes to the end of the row.
      this.#positions.delete(partitionKey(position.at))
      this.#positions.set(partitionKey(position.at), position)
      this.#fetchIfNeeded(position)
    }
    return batches
  }

  onReady(listener: () => void): void {
    this.#listener = listener
  }

  close(): Promise<void> {
    this.#closed = true
    this.#positions.clear()
    this.#listener = () => undefined
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #isAssigned(position: Position): boolean {
    return this.#positions.get(partitionKey(position.at)) === position
  }

  #fetchIfNeeded(position: Position): void {
    if (position.fetching || position.paused || position.buffered !== undefined) return
    position.fetching = true
    void this.#fetch(position)
  }

  async #fetch(position: Position): Promise<void> {
    const { network, process } = this.#connection
    while (this.#isAssigned(position)) {
      const reply = await network.send<FetchedBatch>(process, {
        name: 'fetch',
        target: partitionKey(position.at),
        timeoutMs: null,
        execute: answer => this.#answerFetch(position, answer),
      })
      if (!this.#isAssigned(position)) return
      if (reply.status === 'answered') position.buffered = reply.value
      else if (reply.status === 'refused') position.failure = reply.error
      else {
        await pause(this.#connection)
        continue
      }
      position.fetching = false
      if (!position.paused) this.#listener()
      return
    }
  }

  /** On the broker: answers when there is something to say; an idle partition costs nothing, so nothing moves in an idle simulation. */
  #answerFetch(position: Position, answer: (answer: Answer<FetchedBatch>) => void): void {
    const again = (): void => this.#answerFetch(position, answer)
    const log = this.#broker.findLog(position.at)
    if (log === undefined) {
      this.#broker.onceTopicCreated(again)
      return
    }
    const slice = log.readCommitted(position.offset, this.#options.maxBytesPerPartition)
    if (slice === undefined) {
      answer({ status: 'refused', error: outOfRange(position, log.startOffset, log.endOffset) })
      return
    }
    assert(slice.nextOffset >= position.offset, 'reading never goes back')
    if (slice.nextOffset === position.offset) {
      log.onceChanged(again)
      return
    }
    const { startOffset: logStartOffset, endOffset: highWatermark } = log
    answer(answered({ ...position.at, ...slice, highWatermark, logStartOffset }))
  }
}

function outOfRange({ at, offset }: Position, start: number, end: number): StreamsError {
  const where = `${at.topic}/${at.partition}`
  const message = `${where}: position ${offset} is outside the log, which starts at ${start} and ends at ${end}`
  return new StreamsError('OFFSET_OUT_OF_RANGE', message)
}
