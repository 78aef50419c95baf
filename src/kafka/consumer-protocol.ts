import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from './wire-library.ts'
import type { GroupAssignment } from '../runtime/ports.ts'

/** The name of Kafka's own consumers for what travels in JoinGroup: with it, Kafka's tools can describe the group. */
export const consumerProtocolType = 'consumer'

/** Eager, the first version: it has all we say, and every tool reads it. */
const version = 0

export function encodeSubscription(topics: readonly string[], userData: Buffer): Buffer {
  return encodeConsumerProtocolSubscription({ version, topics: [...topics], userData })
}

export function decodeSubscriptionUserData(metadata: Buffer): Buffer {
  return decodeConsumerProtocolSubscription(metadata).userData ?? Buffer.alloc(0)
}

export function encodeAssignment(assignment: GroupAssignment): Buffer {
  const assignedPartitions = [...Map.groupBy(assignment.partitions, at => at.topic)].map(
    ([topic, share]) => ({ topic, partitions: share.map(at => at.partition) }),
  )
  return encodeConsumerProtocolAssignment({
    version,
    assignedPartitions,
    userData: assignment.userData,
  })
}

/** A member that the leader did not mention gets no bytes at all: nothing is assigned to it. */
export function decodeAssignment(bytes: Buffer): GroupAssignment {
  const { assignedPartitions, userData } = decodeConsumerProtocolAssignment(bytes)
  const partitions = assignedPartitions.flatMap(({ topic, partitions: numbers }) =>
    numbers.map(partition => ({ topic, partition })),
  )
  return { partitions, userData: userData ?? Buffer.alloc(0) }
}
