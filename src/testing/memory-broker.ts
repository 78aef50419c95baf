import { StreamsError } from '../errors.ts'
import {
  partitionKey,
  type ProducedRecord,
  type TopicDescription,
  type TopicPartition,
  type TopicSpecification,
} from '../runtime/ports.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { Network } from './network.ts'
import { PartitionLog } from './partition-log.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

interface Topic extends TopicDescription {
  readonly configs: Map<string, string>
  readonly logs: readonly PartitionLog[]
}

/** What a broker answers for settings that nobody made. */
const defaultConfigs: Readonly<Record<string, string>> = Object.freeze({
  'cleanup.policy': 'delete',
  'max.message.bytes': '1048588',
  'message.timestamp.type': 'CreateTime',
  'min.compaction.lag.ms': '0',
  'min.insync.replicas': '1',
  'retention.bytes': '-1',
  'retention.ms': '604800000',
  'segment.ms': '604800000',
})

/** The state of a whole cluster. Every method is one step of a broker, without latency or faults: those are the network's. */
export class MemoryBroker {
  readonly network: Network
  readonly transactions: TransactionCoordinator
  readonly #topics = new Map<string, Topic>()
  readonly #groups = new Map<string, GroupCoordinator>()
  #waitingForTopics: (() => void)[] = []

  constructor(network: Network) {
    this.network = network
    this.transactions = new TransactionCoordinator(network)
  }

  /** Leaves alone what exists. */
  createTopic({ name, partitions, configs }: TopicSpecification): void {
    if (this.#topics.has(name)) return
    const logs = Array.from(
      { length: partitions },
      (_, partition) => new PartitionLog({ topic: name, partition }),
    )
    const all = new Map(Object.entries({ ...defaultConfigs, ...configs }))
    const topicId = this.network.random.uuid()
    this.#topics.set(name, { name, topicId, partitions, configs: all, logs })
    const waiting = this.#waitingForTopics
    this.#waitingForTopics = []
    for (const listener of waiting) listener()
  }

  /** As `kafka-topics --alter --partitions` does. Throws TOPIC_MISSING. */
  addPartitions(name: string, partitions: number): void {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new StreamsError('TOPIC_MISSING', `there is no topic ${name}`)
    const added = Array.from(
      { length: partitions - topic.partitions },
      (_, index) => new PartitionLog({ topic: name, partition: topic.partitions + index }),
    )
    this.#topics.set(name, { ...topic, partitions, logs: [...topic.logs, ...added] })
  }

  deleteTopic(name: string): void {
    this.#topics.delete(name)
  }

  /** Calls back once, when the next topic is created. */
  onceTopicCreated(listener: () => void): void {
    this.#waitingForTopics.push(listener)
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  /** Undefined when the topic or the partition does not exist. */
  findLog({ topic, partition }: TopicPartition): PartitionLog | undefined {
    return this.#topics.get(topic)?.logs[partition]
  }

  /** Throws TOPIC_MISSING. */
  log(at: TopicPartition): PartitionLog {
    const log = this.findLog(at)
    if (log !== undefined) return log
    throw new StreamsError('TOPIC_MISSING', `there is no partition ${at.topic}/${at.partition}`)
  }

  /** Made when it is first asked for. */
  group(groupId: string): GroupCoordinator {
    const group = this.#groups.get(groupId) ?? new GroupCoordinator(groupId, this.network)
    this.#groups.set(groupId, group)
    return group
  }

  /** The time that the topic's broker gives new records; undefined where they keep their producer's. */
  appendTimeMs(topic: string): number | undefined {
    const type = this.#topics.get(topic)?.configs.get('message.timestamp.type')
    return type === 'LogAppendTime' ? this.network.clock.nowMs() : undefined
  }

  /** Largest record that the topic takes, bytes. */
  recordBytesMax(topic: string): number {
    return Number(this.#topics.get(topic)?.configs.get('max.message.bytes'))
  }

  /** Appends outside any transaction, as other teams' producers do. Throws TOPIC_MISSING. */
  append(records: readonly ProducedRecord[]): void {
    for (const [at, ...more] of Map.groupBy(records, partitionKey).values())
      if (at !== undefined) this.log(at).append([at, ...more], this.appendTimeMs(at.topic))
  }
}
