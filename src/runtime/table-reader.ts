import { sleep } from '../clock.ts'
import { describeError, errorCodeOf, StreamsError } from '../errors.ts'
import type { GlobalTable } from '../global-table.ts'
import {
  type CommittedRecordsFetcher,
  type ConsumedRecord,
  type FetchedBatch,
  partitionKey,
  type TopicDescription,
} from './ports.ts'
import { isPassing } from './restore.ts'
import type { TableContext } from './global-tables.ts'
import { TableContent } from './table-content.ts'
import { WakeSignal } from './wake-signal.ts'

/** Large batches: at the start a whole topic is read. */
const tableFetch = {
  maxWaitMs: 500,
  maxBytesPerPartition: 1024 * 1024,
  maxBytes: 16 * 1024 * 1024,
}

/** How often the topic itself is looked at: nobody tells when it was made again or has grown. */
const lookEveryMs = 60_000
const delayMinMs = 200
const delayMaxMs = 10_000

/**
 * Reads one global table for ever. A reading begins at the start of every partition and replaces the content of the one
 * before it when it has reached the end that it found: so a topic that was made again is read anew, and meanwhile
 * the last content that was whole goes on answering.
 */
export class TableReader {
  readonly #table: GlobalTable
  readonly #context: TableContext
  #content: TableContent<unknown> | undefined
  readonly #caughtUp = Promise.withResolvers<void>()

  constructor(table: GlobalTable, context: TableContext) {
    this.#table = table
    this.#context = context
  }

  get content(): TableContent<unknown> | undefined {
    return this.#content
  }

  /** Everything that was committed when it was first asked has been read. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise
  }

  /** Until the signal aborts; rejects with what does not pass by itself. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const { name: table, topic } = this.#table
    let delayMs = delayMinMs
    while (!signal.aborted) {
      try {
        const reason = await this.#read(signal)
        if (reason === undefined) return
        delayMs = delayMinMs
        log.warn({ event: 'global-table-read-anew', table, topic: topic.name }, reason)
      } catch (error) {
        if (!isPassing(error) && errorCodeOf(error) !== 'TOPIC_MISSING') throw error
        log.warn({ event: 'global-table-waits', table, delayMs }, describeError(error))
      }
      await sleep(clock, delayMs, signal)
      delayMs = Math.min(delayMs * 2, delayMaxMs)
    }
  }

  /** One reading; returns why another one must follow, undefined when it was told to stop. */
  async #read(signal: AbortSignal): Promise<string | undefined> {
    const { cluster, clock } = this.#context
    const { admin } = cluster
    const topic = await this.#describe()
    const places = Array.from({ length: topic.partitions }, (_, partition) => ({
      topic: topic.name,
      partition,
    }))
    const starts = await admin.startOffsets(places)
    const ends = new Map(await admin.endOffsets(places))
    const content = new TableContent<unknown>(topic.partitions, this.#table.bound)
    await using fetcher = cluster.createFetcher(tableFetch)
    const news = new WakeSignal(clock)
    fetcher.onReady(news.wake)
    signal.addEventListener('abort', news.wake, { once: true })
    for (const at of places) {
      const start = starts.get(partitionKey(at)) ?? 0
      if (start >= (ends.get(partitionKey(at)) ?? 0)) ends.delete(partitionKey(at))
      fetcher.assign(at, start)
    }
    let lookAtMs = clock.monotonicMs() + lookEveryMs
    while (!signal.aborted) {
      if (ends.size === 0) this.#publish(content)
      const batches = pollOf(fetcher)
      if (batches === undefined) return 'the topic was cut or made again'
      for (const batch of batches) {
        for (const record of batch.records) await this.#take(record, content, signal)
        if (signal.aborted) return undefined
        if (batch.nextOffset >= (ends.get(partitionKey(batch)) ?? Infinity))
          ends.delete(partitionKey(batch))
      }
      if (batches.length > 0) continue
      const leftMs = lookAtMs - clock.monotonicMs()
      if (leftMs > 0) {
        await news.wait(leftMs)
        continue
      }
      lookAtMs = clock.monotonicMs() + lookEveryMs
      if (await this.#hasChanged(topic)) return 'the topic was made again, or has more partitions'
    }
    return undefined
  }

  async #describe(): Promise<TopicDescription> {
    const { name } = this.#table.topic
    const topic = (await this.#context.cluster.admin.describeTopics([name])).get(name)
    if (topic === undefined)
      throw new StreamsError('TOPIC_MISSING', `the topic ${name} does not exist`)
    return topic
  }

  /** A topic that cannot be asked about just now is taken to be what it was. */
  async #hasChanged(before: TopicDescription): Promise<boolean> {
    try {
      const now = await this.#describe()
      return now.topicId !== before.topicId || now.partitions !== before.partitions
    } catch (error) {
      if (isPassing(error) || errorCodeOf(error) === 'TOPIC_MISSING') return false
      throw error
    }
  }

  #publish(content: TableContent<unknown>): void {
    const { log, metrics } = this.#context
    const { name: table } = this.#table
    metrics.tables.entries.labels({ table }).set(content.size)
    if (this.#content === content) return
    this.#content = content
    log.info({ event: 'global-table-read', table, entries: content.size }, `${table} is up to date`)
    this.#caughtUp.resolve()
  }

  async #take(
    record: ConsumedRecord,
    content: TableContent<unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    const { topic, keep } = this.#table
    const { key, value, partition } = record
    if (key === null) return this.#skip(record, 'it has no key')
    if (value !== null && !topic.value.isReady(value)) await this.#prepare(value, signal)
    if (signal.aborted) return
    try {
      const name = topic.key.deserialize(key)
      if (value === null) content.delete(partition, name)
      else content.put(partition, name, keep(topic.value.deserialize(value)))
    } catch (error) {
      if (errorCodeOf(error) !== 'RECORD_UNDECODABLE') throw error
      this.#skip(record, describeError(error))
    }
  }

  /** Every instance reads the record, so it goes to no dead letters; the entry stays what it was. */
  #skip({ topic, partition, offset }: ConsumedRecord, reason: string): void {
    const { log, metrics } = this.#context
    const { name: table } = this.#table
    metrics.tables.skipped.labels({ table }).inc()
    log.warn({ event: 'global-table-skips', table, topic, partition, offset }, reason)
  }

  /** What a value lacks to be decoded is fetched for as long as it takes: to go on without it would lose it. */
  async #prepare(value: Buffer, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    for (let delayMs = 500; !signal.aborted; delayMs = Math.min(delayMs * 2, 30_000)) {
      try {
        return await this.#table.topic.value.prepare(value)
      } catch (error) {
        if (!isPassing(error)) throw error
        log.warn(
          { event: 'global-table-waits', table: this.#table.name, delayMs },
          describeError(error),
        )
        await sleep(clock, delayMs, signal)
      }
    }
  }
}

/** Undefined when the log no longer has what comes next. */
function pollOf(fetcher: CommittedRecordsFetcher): readonly FetchedBatch[] | undefined {
  try {
    return fetcher.poll()
  } catch (error) {
    if (errorCodeOf(error) === 'OFFSET_OUT_OF_RANGE') return undefined
    throw error
  }
}
