import {
  ConfigResourceTypes,
  createTopicsV7,
  describeConfigsV4,
  offsetFetchV9,
} from './wire-library.ts'
import { StreamsError } from '../errors.ts'
import {
  partitionKey,
  type ClusterAdmin,
  type CommittedOffset,
  type TopicDescription,
  type TopicPartition,
  type TopicSpecification,
} from '../runtime/ports.ts'
import { BrokerConnections } from './broker-connections.ts'
import { errorName, errorNamesOf, handlingOf } from './classify.ts'
import { ClusterMetadata } from './cluster-metadata.ts'
import { Coordinator } from './coordinator.ts'
import { listOffsets } from './list-offsets.ts'
import type { ResolvedKafkaOptions } from './options.ts'
import { retrying } from './retry.ts'

type DescribeConfigsResponse = Awaited<ReturnType<typeof describeConfigsV4.api.async>>
type CreateTopicsResponse = Awaited<ReturnType<typeof createTopicsV7.api.async>>

/** `ClusterAdmin` over the wire. */
export class KafkaClusterAdmin implements ClusterAdmin, AsyncDisposable {
  readonly #options: ResolvedKafkaOptions
  readonly #metadata: ClusterMetadata
  readonly #connections: BrokerConnections

  constructor(options: ResolvedKafkaOptions) {
    this.#options = options
    this.#metadata = new ClusterMetadata(options)
    this.#connections = new BrokerConnections(options, options.requestTimeoutMs)
  }

  async describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    await this.#retrying('describing topics', () => this.#metadata.refresh(names))
    const result = new Map<string, TopicDescription>()
    for (const name of names) {
      const topic = this.#metadata.topic(name)
      if (topic !== undefined)
        result.set(name, { name, topicId: topic.topicId, partitions: topic.leaders.length })
    }
    return result
  }

  async topicConfigs(
    names: readonly string[],
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    if (names.length === 0) return new Map()
    const resources = names.map(resourceName => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configurationKeys: null as never,
    }))
    const response = await this.#retrying('reading topic settings', () =>
      this.#metadata.ask(connection =>
        describeConfigsV4.api
          .async(connection, resources, false, false)
          .catch((error: unknown) => answerDespite(error) as DescribeConfigsResponse),
      ),
    )
    const result = new Map<string, ReadonlyMap<string, string>>()
    for (const each of response.results) {
      if (isMissing(each.errorCode)) continue
      throwFor(each.errorCode, `reading the settings of ${each.resourceName}`, each.errorMessage)
      result.set(
        each.resourceName,
        new Map(each.configs.map(({ name, value }) => [name, value ?? ''])),
      )
    }
    return result
  }

  async createTopics(topics: readonly TopicSpecification[]): Promise<void> {
    if (topics.length === 0) return
    const requests = topics.map(topic => ({
      name: topic.name,
      numPartitions: topic.partitions,
      replicationFactor: topic.replicationFactor ?? -1,
      assignments: [],
      configs: Object.entries(topic.configs).map(([name, value]) => ({ name, value })),
    }))
    await this.#retrying('creating topics', async () => {
      // Any broker passes the request on to the controller.
      const response = await this.#metadata.ask(connection =>
        createTopicsV7.api
          .async(connection, requests, this.#options.requestTimeoutMs, false)
          .catch((error: unknown) => answerDespite(error) as CreateTopicsResponse),
      )
      for (const each of response.topics)
        if (errorName(each.errorCode) !== 'TOPIC_ALREADY_EXISTS')
          throwFor(each.errorCode, `creating ${each.name}`, each.errorMessage)
    })
    const partitions = topics.flatMap(({ name, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
    )
    const names = topics.map(topic => topic.name)
    await this.#retrying('waiting for the leaders of new topics', async () => {
      await this.#metadata.refresh(names)
      // A topic that existed before may have fewer partitions; that is for the caller to compare.
      await this.#metadata.leadersOf(
        partitions.filter(
          at => at.partition < (this.#metadata.topic(at.topic)?.leaders.length ?? Infinity),
        ),
      )
    })
  }

  startOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.#offsets('earliest', partitions)
  }

  endOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.#offsets('latest', partitions)
  }

  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<ReadonlyMap<string, CommittedOffset>> {
    if (partitions.length === 0) return new Map()
    const topics = [...Map.groupBy(partitions, at => at.topic)].map(([name, share]) => ({
      name,
      partitionIndexes: share.map(at => at.partition),
    }))
    const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }]
    const coordinator = new Coordinator(this.#metadata, this.#connections, 'group', groupId)
    // requireStable (KIP-447): without it the offset from before an open, or just committed, transaction is read.
    const response = await this.#retrying(
      'reading committed offsets',
      async () => offsetFetchV9.api.async(await coordinator.connection(), groups, true),
      () => coordinator.forget(),
    )
    const result = new Map<string, CommittedOffset>()
    for (const topic of response.groups[0]?.topics ?? [])
      for (const each of topic.partitions)
        if (each.committedOffset >= 0n)
          result.set(partitionKey({ topic: topic.name, partition: each.partitionIndex }), {
            offset: Number(each.committedOffset),
            metadata: each.metadata ?? '',
          })
    return result
  }

  async close(): Promise<void> {
    await Promise.all([this.#connections.close(), this.#metadata.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #offsets(
    which: 'earliest' | 'latest',
    partitions: readonly TopicPartition[],
  ): Promise<ReadonlyMap<string, number>> {
    return this.#retrying(
      'listing offsets',
      () => listOffsets(this.#metadata, this.#connections, partitions, which),
      () => this.#metadata.forget(partitions.map(at => at.topic)),
    )
  }

  #retrying<T>(
    doing: string,
    attempt: () => Promise<T>,
    forget: () => void = () => undefined,
  ): Promise<T> {
    const { clock, retryBackoffMs, requestTimeoutMs } = this.#options
    const deadlineMs = clock.monotonicMs() + requestTimeoutMs
    return retrying({ clock, retryBackoffMs, doing, deadlineMs, forget, lost: 'again' }, attempt)
  }
}

/** The library throws for one item that failed, but the whole answer travels with the error. */
function answerDespite(error: unknown): unknown {
  const { response } = error as { response?: unknown }
  if (response === undefined || errorNamesOf(error).length === 0) throw error
  return response
}

function isMissing(errorCode: number): boolean {
  return errorName(errorCode) === 'UNKNOWN_TOPIC_OR_PARTITION'
}

function throwFor(errorCode: number, doing: string, detail: string | null | undefined): void {
  if (errorCode === 0) return
  const name = errorName(errorCode)
  const handling = handlingOf(name)
  const code =
    handling === 'again' || handling === 'elsewhere' || handling === 'lost'
      ? 'BROKER_UNAVAILABLE'
      : handling
  throw new StreamsError(code, `${doing}: ${name}${(detail ?? '') === '' ? '' : `, ${detail}`}`)
}
