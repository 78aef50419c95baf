import type {
  ClusterAdmin,
  CommittedOffset,
  TopicDescription,
  TopicPartition,
  TopicSpecification,
} from '../runtime/ports.ts'
import { partitionKey } from '../runtime/ports.ts'
import type { MemoryBroker } from './memory-broker.ts'
import type { PartitionLog } from './partition-log.ts'
import {
  type Connection,
  immediately,
  pause,
  requestUntilAnswered,
  throwIfLate,
} from './retries.ts'

/** Questions and orders to the broker in memory. */
export class MemoryAdmin implements ClusterAdmin {
  readonly #broker: MemoryBroker
  readonly #connection: Connection

  constructor(broker: MemoryBroker, connection: Connection) {
    this.#broker = broker
    this.#connection = connection
  }

  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return this.#ask(() => {
      const found = new Map<string, TopicDescription>()
      for (const name of names) {
        const topic = this.#broker.topic(name)
        if (topic === undefined) continue
        found.set(name, { name, topicId: topic.topicId, partitions: topic.partitions })
      }
      return found
    })
  }

  topicConfigs(
    names: readonly string[],
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    return this.#ask(() => {
      const found = new Map<string, ReadonlyMap<string, string>>()
      for (const name of names) {
        const topic = this.#broker.topic(name)
        if (topic !== undefined) found.set(name, new Map(topic.configs))
      }
      return found
    })
  }

  createTopics(topics: readonly TopicSpecification[]): Promise<void> {
    const names = topics.map(topic => topic.name).join(', ')
    return this.#ask(() => {
      for (const topic of topics) this.#broker.createTopic(topic)
    }, `creates ${names}`)
  }

  startOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.#offsets(partitions, log => log.startOffset)
  }

  endOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    return this.#offsets(partitions, log => log.endOffset)
  }

  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<ReadonlyMap<string, CommittedOffset>> {
    const { offsets } = this.#broker.group(groupId)
    const { requestTimeoutMs: timeoutMs } = this.#connection
    const deadlineMs = this.#deadlineMs()
    const request = {
      name: 'fetch-offsets',
      target: offsets.name,
      timeoutMs,
      execute: immediately(() => offsets.stable(partitions)),
    } as const
    for (;;) {
      const stable = await requestUntilAnswered(this.#connection, request, deadlineMs)
      if (stable !== undefined) return stable
      throwIfLate(this.#connection, request, deadlineMs)
      await pause(this.#connection, 20)
    }
  }

  #offsets(
    partitions: readonly TopicPartition[],
    offsetOf: (log: PartitionLog) => number,
  ): Promise<ReadonlyMap<string, number>> {
    return this.#ask(
      () => new Map(partitions.map(at => [partitionKey(at), offsetOf(this.#broker.log(at))])),
    )
  }

  #ask<T>(decide: () => T, detail?: string): Promise<T> {
    const { requestTimeoutMs: timeoutMs } = this.#connection
    const request = { name: 'admin', target: 'cluster', timeoutMs } as const
    return requestUntilAnswered(
      this.#connection,
      { ...request, ...(detail !== undefined && { detail }), execute: immediately(decide) },
      this.#deadlineMs(),
    )
  }

  #deadlineMs(): number {
    return this.#connection.process.clock.monotonicMs() + this.#connection.requestTimeoutMs
  }
}
