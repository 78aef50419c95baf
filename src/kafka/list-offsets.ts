import { listOffsetsV9 } from './wire-library.ts'
import { StreamsError } from '../errors.ts'
import { partitionKey, type TopicPartition } from '../runtime/ports.ts'
import type { BrokerConnections } from './broker-connections.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'

/** Special timestamps of ListOffsets. */
const timestamps = Object.freeze({ latest: -1n, earliest: -2n })
const readUncommitted = 0

/** First offsets, or high watermarks, from the leaders; one attempt. */
export async function listOffsets(
  metadata: ClusterMetadata,
  connections: BrokerConnections,
  partitions: readonly TopicPartition[],
  which: keyof typeof timestamps,
): Promise<ReadonlyMap<string, number>> {
  const leaders = await metadata.leadersOf(partitions)
  const byLeader = Map.groupBy(partitions, at => leaders.get(partitionKey(at))!)
  const result = new Map<string, number>()
  const requests = [...byLeader].map(async ([leader, share]) => {
    const broker = metadata.broker(leader)
    if (broker === undefined)
      throw new StreamsError('BROKER_UNAVAILABLE', `broker ${leader} is not known`)
    const topics = [...Map.groupBy(share, at => at.topic)].map(([name, each]) => ({
      name,
      partitions: each.map(at => ({
        partitionIndex: at.partition,
        currentLeaderEpoch: -1,
        timestamp: timestamps[which],
      })),
    }))
    const connection = await connections.to(broker)
    const response = await listOffsetsV9.api.async(connection, -1, readUncommitted, topics)
    for (const topic of response.topics)
      for (const each of topic.partitions)
        result.set(
          partitionKey({ topic: topic.name, partition: each.partitionIndex }),
          Number(each.offset),
        )
  })
  await Promise.all(requests)
  return result
}
