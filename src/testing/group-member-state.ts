import type { Cancel } from '../clock.ts'
import type { GroupAssignment, GroupMemberInfo } from '../runtime/ports.ts'

/** Why the coordinator refuses a request, by Kafka's names. */
export type GroupRefusal =
  | 'UNKNOWN_MEMBER_ID'
  | 'ILLEGAL_GENERATION'
  | 'FENCED_INSTANCE_ID'
  | 'REBALANCE_IN_PROGRESS'

export interface JoinRequest {
  /** Empty for who does not have one yet. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly userData: Buffer
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Part of the member ids the coordinator makes up. */
  readonly client: string
}

export interface JoinedGroup {
  readonly memberId: string
  readonly generationId: number
  /** For the leader alone: it assigns the partitions of them all. */
  readonly members: readonly GroupMemberInfo[] | undefined
}

export type JoinResult = JoinedGroup | GroupRefusal
export type SyncResult = GroupAssignment | GroupRefusal

/** What the coordinator knows of one member. */
export interface MemberState {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly client: string
  userData: Buffer
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  /** Set while its JoinGroup waits for the others. */
  joining: ((result: JoinResult) => void) | undefined
  /** Set while its SyncGroup waits for the leader. */
  syncing: ((result: SyncResult) => void) | undefined
  assignment: GroupAssignment
  cancelSession: Cancel
}

export const noAssignment: GroupAssignment = Object.freeze({
  partitions: [],
  userData: Buffer.alloc(0),
})
