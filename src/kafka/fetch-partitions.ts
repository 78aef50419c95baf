import type { Connection } from '@platformatic/kafka'
import { partitionKey, type FetcherOptions } from '../runtime/ports.ts'
import type { FetchPosition } from './fetch-position.ts'
import { fetch, type FetchResponse } from './wire-requests.ts'

const readCommitted = 1
/** No fetch session (KIP-227): each request says everything, and a lost answer leaves nothing to mend. */
const noSession = Object.freeze({ id: 0, epoch: -1 })

/** One fetch of these partitions, of which this broker is the leader. `topicIds` by name. */
export function fetchPartitions(
  connection: Connection,
  positions: readonly FetchPosition[],
  topicIds: ReadonlyMap<string, string>,
  options: FetcherOptions,
): Promise<FetchResponse> {
  const topics = [...Map.groupBy(positions, position => position.topic)].map(([topic, share]) => ({
    topicId: topicIds.get(topic)!,
    partitions: share.map(({ partition, offset }) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: options.maxBytesPerPartition,
    })),
  }))
  return fetch.async(
    connection,
    options.maxWaitMs,
    1,
    options.maxBytes,
    readCommitted,
    noSession.id,
    noSession.epoch,
    topics,
    [],
    '',
  )
}

/** Positions by topic id and partition, as the answer names them. */
export function byTopicId(
  positions: readonly FetchPosition[],
  topicIds: ReadonlyMap<string, string>,
): ReadonlyMap<string, FetchPosition> {
  return new Map(
    positions.map(position => [
      partitionKey({ topic: topicIds.get(position.topic)!, partition: position.partition }),
      position,
    ]),
  )
}
