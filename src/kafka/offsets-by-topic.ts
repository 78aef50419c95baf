import type { offsetCommitV9 } from '@platformatic/kafka'
import type { OffsetToCommit } from '../runtime/ports.ts'

/** Positions as OffsetCommit and TxnOffsetCommit carry them. */
export function offsetsByTopic(
  offsets: readonly OffsetToCommit[],
): Parameters<typeof offsetCommitV9.api.async>[5] {
  return [...Map.groupBy(offsets, each => each.topic)].map(([name, share]) => ({
    name,
    partitions: share.map(({ partition, offset, metadata }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    })),
  }))
}
