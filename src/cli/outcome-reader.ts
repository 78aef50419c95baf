import { topicNames } from '../email/topic-names.ts'
import type { EmailSerdes } from '../email/topics.ts'
import type { CommittedRecordsFetcher, ConsumedRecord, KafkaCluster } from '../runtime/ports.ts'
import type { Serde } from '../serde.ts'
import type { DemoObservations } from './demo-observations.ts'

/** Follows the outcome topics from their start and tells the observations. Closing it ends the reading. */
export class OutcomeReader implements AsyncDisposable {
  readonly #fetcher: CommittedRecordsFetcher
  readonly #serdes: EmailSerdes
  readonly #observations: DemoObservations
  #reading: Promise<void> = Promise.resolve()
  /** What ended the reading, if anything did. */
  failure: Error | undefined

  private constructor(
    fetcher: CommittedRecordsFetcher,
    serdes: EmailSerdes,
    observations: DemoObservations,
  ) {
    this.#fetcher = fetcher
    this.#serdes = serdes
    this.#observations = observations
  }

  static async open(
    cluster: KafkaCluster,
    serdes: EmailSerdes,
    observations: DemoObservations,
  ): Promise<OutcomeReader> {
    const names = [topicNames.sent, topicNames.failed, topicNames.callback, topicNames.deadLetter]
    const topics = await cluster.admin.describeTopics(names)
    const fetcher = cluster.createFetcher({
      maxWaitMs: 100,
      maxBytes: 16_777_216,
      maxBytesPerPartition: 1_048_576,
    })
    const reader = new OutcomeReader(fetcher, serdes, observations)
    fetcher.onReady(() => reader.#read())
    for (const { name, partitions } of topics.values()) {
      for (let partition = 0; partition < partitions; partition += 1)
        fetcher.assign({ topic: name, partition }, 0)
    }
    return reader
  }

  async close(): Promise<void> {
    await this.#fetcher.close()
    await this.#reading
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #read(): void {
    this.#reading = this.#readAfter(this.#reading)
  }

  /** One after the other: a schema that is looked up must not let the next record overtake. */
  async #readAfter(earlier: Promise<void>): Promise<void> {
    await earlier
    try {
      for (const batch of this.#fetcher.poll()) {
        for (const record of batch.records) await this.#observe(record)
      }
    } catch (error) {
      this.failure ??= error instanceof Error ? error : new Error(String(error))
    }
  }

  async #observe(record: ConsumedRecord): Promise<void> {
    const { sent, failed, callback } = this.#serdes
    if (record.topic === topicNames.sent) this.#observations.sent(await valueOf(sent, record))
    else if (record.topic === topicNames.failed)
      this.#observations.failed(await valueOf(failed, record))
    else if (record.topic === topicNames.callback)
      this.#observations.callback(await valueOf(callback, record))
    else {
      const code = record.headers.find(header => header.key === 'error.code')?.value?.toString()
      this.#observations.deadLetter(record.key?.toString() ?? '', code ?? 'without a reason')
    }
  }
}

async function valueOf<T>(serde: Serde<T>, record: ConsumedRecord): Promise<T> {
  const bytes = record.value ?? Buffer.alloc(0)
  if (!serde.isReady(bytes)) await serde.prepare(bytes)
  return serde.deserialize(bytes)
}
