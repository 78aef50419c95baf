import type {
  FetchedBatch,
  FetcherOptions,
  GroupMember,
  GroupMemberOptions,
  KafkaCluster,
  ProducedRecord,
  TopicPartition,
} from '../../src/runtime/ports.ts'
import { Simulation, type SimulationOptions } from '../../src/testing/simulation.ts'

export const requests: TopicPartition = { topic: 'requests', partition: 0 }

export const fetcherOptions: FetcherOptions = {
  maxWaitMs: 100,
  maxBytesPerPartition: 1_000_000,
  maxBytes: 10_000_000,
}

/** A simulation with a topic `requests` of two partitions. */
export function worldWith(options: Partial<SimulationOptions> = {}): Simulation {
  const world = new Simulation({ seed: 1, ...options })
  world.broker.createTopic({ name: 'requests', partitions: 2, configs: {} })
  return world
}

export function recordOf(value: string, at: TopicPartition = requests): ProducedRecord {
  const { topic, partition } = at
  return {
    topic,
    partition,
    key: Buffer.from(value),
    value: Buffer.from(value),
    headers: [],
    timestampMs: 1,
  }
}

/** An initialised producer of `process`. */
export async function producerOf(
  world: Simulation,
  cluster: KafkaCluster,
  transactionalId = 'id',
  transactionTimeoutMs = 10_000,
) {
  const producer = cluster.createProducer({ transactionalId, transactionTimeoutMs })
  await world.settle(producer.init())
  return producer
}

export function memberOf(
  cluster: KafkaCluster,
  options: Partial<GroupMemberOptions> = {},
): GroupMember {
  return cluster.createMember({
    groupId: 'group',
    groupInstanceId: null,
    topics: ['requests'],
    protocolName: 'test',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    heartbeatIntervalMs: 3000,
    assignor: members => {
      const assignment = (partition: number) => ({
        partitions: [{ topic: 'requests', partition }],
        userData: Buffer.from(`of ${members.length}`),
      })
      return Promise.resolve(
        new Map(members.map(({ memberId }, index) => [memberId, assignment(index)])),
      )
    },
    ...options,
  })
}

/** What a new reader gets of a partition from the offset on, once nothing more comes. */
export async function readFrom(
  world: Simulation,
  at: TopicPartition,
  offset: number,
  options: Partial<FetcherOptions> = {},
): Promise<{ values: string[]; nextOffset: number; batches: FetchedBatch[] }> {
  const reader = world.connect(world.startProcess('reader'))
  const fetcher = reader.createFetcher({ ...fetcherOptions, ...options })
  const batches: FetchedBatch[] = []
  fetcher.onReady(() => batches.push(...fetcher.poll()))
  fetcher.assign(at, offset)
  await world.run({ withinMs: 60_000 })
  await fetcher.close()
  const values = batches.flatMap(batch => batch.records.map(record => String(record.value)))
  return { values, nextOffset: batches.at(-1)?.nextOffset ?? offset, batches }
}
