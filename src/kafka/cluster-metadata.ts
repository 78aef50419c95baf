import type { Connection } from '@platformatic/kafka'
import { apiVersionsV4, metadataV12 } from './wire-library.ts'
import { StreamsError } from '../errors.ts'
import { partitionKey, type TopicPartition } from '../runtime/ports.ts'
import { BrokerConnections } from './broker-connections.ts'
import { errorName, handlingOf } from './classify.ts'
import type { BrokerAddress, ResolvedKafkaOptions } from './options.ts'

type MetadataResponse = Awaited<ReturnType<typeof metadataV12.api.async>>

export interface TopicMetadata {
  readonly name: string
  readonly topicId: string
  /** Brokers by partition; undefined while a partition has no leader. */
  readonly leaders: readonly (number | undefined)[]
}

/**
 * Who leads what, as the brokers said last. Asks only when told to: stale answers are noticed by whoever acts on
 * them.
 */
export class ClusterMetadata implements AsyncDisposable {
  readonly #connections: BrokerConnections
  readonly #bootstrap: readonly BrokerAddress[]
  #brokers = new Map<number, BrokerAddress>()
  readonly #topics = new Map<string, TopicMetadata>()
  #preferred = 0

  constructor(options: ResolvedKafkaOptions) {
    this.#connections = new BrokerConnections(options, Math.min(options.requestTimeoutMs, 10_000))
    this.#bootstrap = options.bootstrapBrokers
  }

  broker(nodeId: number): BrokerAddress | undefined {
    return this.#brokers.get(nodeId)
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  leaderOf(at: TopicPartition): number | undefined {
    return this.#topics.get(at.topic)?.leaders[at.partition]
  }

  /** Drops what is known of these topics, so that `leadersOf` asks again. */
  forget(topics: Iterable<string>): void {
    for (const topic of topics) this.#topics.delete(topic)
  }

  /** Leaders of all these partitions by key. BROKER_UNAVAILABLE when one has none, or does not exist, just now. */
  async leadersOf(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    const unknown = new Set(
      partitions.filter(at => this.leaderOf(at) === undefined).map(at => at.topic),
    )
    if (unknown.size > 0) await this.refresh([...unknown])
    const leaders = new Map<string, number>()
    for (const at of partitions) {
      const leader = this.leaderOf(at)
      if (leader === undefined)
        throw new StreamsError('BROKER_UNAVAILABLE', `${partitionKey(at)} has no leader just now`)
      leaders.set(partitionKey(at), leader)
    }
    return leaders
  }

  /**
   * Asks any broker about these topics. Missing ones are forgotten; one without a leader stays known without it.
   * AUTHORIZATION_FAILED, BROKER_UNAVAILABLE.
   */
  async refresh(topics: readonly string[]): Promise<void> {
    const response = await this.ask(async connection => {
      try {
        return await metadataV12.api.async(connection, [...topics], false, false)
      } catch (error) {
        // The library throws for a single missing topic, but the whole answer travels with the error.
        const { response: answer } = error as { response?: MetadataResponse }
        if (answer === undefined) throw error
        return answer
      }
    })
    this.#brokers = new Map(
      response.brokers.map(each => [each.nodeId, { host: each.host, port: each.port }]),
    )
    this.forget(topics)
    for (const topic of response.topics) {
      const name = topic.name ?? ''
      if (handlingOf(errorName(topic.errorCode)) === 'AUTHORIZATION_FAILED')
        throw new StreamsError(
          'AUTHORIZATION_FAILED',
          `topic ${name}: ${errorName(topic.errorCode)}`,
        )
      if (topic.errorCode !== 0) continue
      const leaders: (number | undefined)[] = []
      for (const each of topic.partitions)
        leaders[each.partitionIndex] =
          each.leaderId >= 0 && this.#brokers.has(each.leaderId) ? each.leaderId : undefined
      this.#topics.set(name, { name, topicId: topic.topicId, leaders })
    }
  }

  /**
   * Runs a request that any broker can answer: all known ones are tried once, beginning with the one that worked
   * last.
   */
  async ask<T>(request: (connection: Connection) => Promise<T>): Promise<T> {
    const brokers = [...this.#bootstrap, ...this.#brokers.values()]
    let failure: unknown
    for (let tried = 0; tried < brokers.length; tried += 1) {
      const index = (this.#preferred + tried) % brokers.length
      try {
        const result = await request(await this.#connections.to(brokers[index]!))
        this.#preferred = index
        return result
      } catch (error) {
        if (error instanceof StreamsError && error.code !== 'BROKER_UNAVAILABLE') throw error
        failure = error
      }
    }
    throw failure
  }

  /** The level of a feature that the whole cluster has finalized, 0 when it does not know it (KIP-584). */
  async finalizedFeature(name: string): Promise<number> {
    const response = await this.ask(connection =>
      apiVersionsV4.api.async(connection, 'mailonce', '0.1.0'),
    )
    return response.finalizedFeatures?.find(each => each.name === name)?.maxVersionLevel ?? 0
  }

  close(): Promise<void> {
    return this.#connections.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
