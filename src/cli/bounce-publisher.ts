import type { Clock } from '../clock.ts'
import { topicNames } from '../email/topic-names.ts'
import { StreamsError } from '../errors.ts'
import type { KafkaCluster, TransactionalProducer } from '../runtime/ports.ts'
import { publishInTransaction } from './publish-in-transaction.ts'

export interface BouncePublisherOptions {
  readonly cluster: KafkaCluster
  /** No two live publishers share it. */
  readonly transactionalId: string
  readonly clock: Clock
}

/** Writes messages to `email.bounces` as they came, one after the other, each in a transaction of its own. */
export class BouncePublisher implements AsyncDisposable {
  readonly #options: BouncePublisherOptions
  #producer: TransactionalProducer | undefined
  #partitions = 0
  #turn = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: BouncePublisherOptions) {
    this.#options = options
  }

  /** Resolves when the message is committed. Rejects when it may not be: to write it again says the same twice. */
  publish(message: Buffer): Promise<void> {
    const published = this.#last.then(() => this.#publish(message))
    this.#last = published.catch(() => undefined)
    return published
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
    await this.#producer?.close()
  }

  async #publish(message: Buffer): Promise<void> {
    const producer = (this.#producer ??= await this.#open())
    this.#turn = (this.#turn + 1) % this.#partitions
    const record = {
      topic: topicNames.bounces,
      partition: this.#turn,
      key: null,
      value: message,
      headers: [],
      timestampMs: this.#options.clock.nowMs(),
    }
    try {
      await publishInTransaction(producer, [record])
    } catch (error) {
      // After an error a producer is good for nothing but to be closed: the next message opens another.
      this.#producer = undefined
      await producer.close()
      throw error
    }
  }

  async #open(): Promise<TransactionalProducer> {
    const { cluster, transactionalId } = this.#options
    const { bounces } = topicNames
    const topic = (await cluster.admin.describeTopics([bounces])).get(bounces)
    if (topic === undefined)
      throw new StreamsError('TOPIC_MISSING', `${bounces} does not exist: mailonce topics create`)
    this.#partitions = topic.partitions
    const producer = cluster.createProducer({ transactionalId, transactionTimeoutMs: 10_000 })
    try {
      await producer.init()
      return producer
    } catch (error) {
      await producer.close()
      throw error
    }
  }
}
