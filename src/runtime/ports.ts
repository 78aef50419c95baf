/**
 * What the runtime needs of Kafka, and nothing else of it. `src/kafka` implements these over the wire,
 * `src/testing` in memory; both pass the same contract suite. Offsets are numbers: 2^53 records outlast every log.
 * Every failure is a `StreamsError`; which code means what is said with each call.
 */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The map key of a partition: topic names cannot contain a slash. */
export function partitionKey(at: TopicPartition): string {
  return `${at.topic}/${at.partition}`
}

export interface Header {
  readonly key: string
  readonly value: Buffer | null
}

/** A record of a committed transaction, or one written outside any. `null` stays `null`, empty stays empty. */
export interface ConsumedRecord extends TopicPartition {
  readonly offset: number
  /** Milliseconds; the broker's append time where the topic says LogAppendTime. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

export interface ProducedRecord extends TopicPartition {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  readonly timestampMs: number
}

// ---------------------------------------------------------------- reading

/** What one poll returned of one partition. `records` may be empty while `nextOffset` moves on: markers, aborted data. */
export interface FetchedBatch extends TopicPartition {
  readonly records: readonly ConsumedRecord[]
  /** Where reading goes on: past everything that was looked at, returned or not. */
  readonly nextOffset: number
  /** End of what is replicated, open transactions included. */
  readonly highWatermark: number
  /** Start of the log: what lies before has been deleted. */
  readonly logStartOffset: number
}

/**
 * Reads committed records (`read_committed`, done right: no aborted record ever, no committed record dropped). It
 * fetches ahead by at most one response a partition, per broker in parallel, and survives leader moves and brokers
 * that go away (back-off, one log line). Positions belong to the caller: `assign` sets one, `poll` hands out what follows.
 */
export interface CommittedRecordsFetcher extends AsyncDisposable {
  /** Reads the partition from this offset on; what was buffered of it before is dropped. */
  assign(at: TopicPartition, offset: number): void
  /** Stops reading it; nothing of it is handed out any more, not even what is under way. */
  unassign(at: TopicPartition): void
  /** Keeps the position and what is buffered, hands out nothing and fetches nothing until `resume`. */
  pause(at: TopicPartition): void
  resume(at: TopicPartition): void
  /**
   * What is buffered now, one batch a partition at most, without waiting; the order rotates, so that no
   * partition starves. Throws OFFSET_OUT_OF_RANGE (naming topic, partition, position and log start) and
   * AUTHORIZATION_FAILED; what passes by itself (no leader, no connection) is retried inside.
   */
  poll(): FetchedBatch[]
  /** Called whenever `poll` may have something new. One listener. */
  onReady(listener: () => void): void
  close(): Promise<void>
}

// ---------------------------------------------------------------- writing

/** The generation under which records were fetched: the zombie fence of KIP-447. */
export interface GroupGeneration {
  readonly groupId: string
  readonly memberId: string
  readonly generationId: number
  readonly groupInstanceId: string | null
}

export interface OffsetToCommit extends TopicPartition {
  /** The next offset to be read. */
  readonly offset: number
  /** `incarnation:cycle`: tells later whether this very commit took place. */
  readonly metadata: string
}

/** Where the records of one `send` begin and end in one partition. */
export interface ProducedRange extends TopicPartition {
  readonly firstOffset: number
  /** Offset of the last record, inclusive. */
  readonly lastOffset: number
}

/** Records that wait for one `sendGathered`, in the form in which they will travel. */
export interface GatheredRecords {
  /** The record's bytes may be used for something else afterwards. */
  add(record: ProducedRecord): void
}

/** What every producer does. Calls are strictly sequential: a second call before the first has settled is a bug and throws INTERNAL. */
export interface RecordProducer extends AsyncDisposable {
  /** Before the first use and after every failure; says for each kind what it ends. */
  init(): Promise<void>
  /** Splits by leader and by size; keeps the order within a partition. Resolves once all replicas in sync have it. */
  send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]>
  /** For records that come little by little: nothing is sent yet, and no transaction begins. Of this producer, for one `sendGathered`. */
  gather(): GatheredRecords
  sendGathered(records: GatheredRecords): Promise<readonly ProducedRange[]>
  close(): Promise<void>
}

/**
 * One transactional id. The transaction begins lazily with the first `send` or `addOffsets`; `commit` and `abort` without one do
 * nothing. `init` fences the predecessor of this id, ends its open transaction, and waits until that is done.
 *
 * Errors: TRANSACTION_FENCED (a newer owner, or, where nobody can tell these apart, the broker aborted a transaction that
 * took too long; where it can be told, that is TRANSACTION_ABORTED), GROUP_FENCED (from
 * `addOffsets`: generation or member unknown), TRANSACTION_ABORTED (abort and do it again), COMMIT_OUTCOME_UNKNOWN (from
 * `commit`: the reply was lost), BROKER_UNAVAILABLE (retried inside until the transaction time-out was used up),
 * RECORD_TOO_LARGE, AUTHORIZATION_FAILED. After any error only `abort`, `init` or `close` may follow; `abort` leaves a usable
 * producer or throws TRANSACTION_FENCED.
 */
export interface TransactionalProducer extends RecordProducer {
  /** One request for all partitions, fenced by the generation. */
  addOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
}

/**
 * Writes outside transactions: what is acknowledged is in the log for good, in order and once; of a `send` that fails any part may be
 * there, or come later. The first `init` ends the open transaction that a transactional producer of the same name has left
 * behind and fences it; every `init` begins with another producer id.
 *
 * Errors: GROUP_FENCED (from `commitOffsets`: generation or member unknown), BROKER_UNAVAILABLE (retried inside until the time-out was
 * used up), TRANSACTION_ABORTED (the broker no longer knows the numbers of our batches), RECORD_TOO_LARGE, AUTHORIZATION_FAILED.
 * After any error only `init` or `close` may follow.
 */
export interface IdempotentProducer extends RecordProducer {
  /** One request for all partitions, at once true, fenced by the generation. */
  commitOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void>
}

// ---------------------------------------------------------------- the group

export interface GroupMemberInfo {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly userData: Buffer
}

/** What one member is given; `userData` travels with it. */
export interface GroupAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer
}

/** Decides for all; runs on the group's leader only. Must be a pure function of its argument and the topics' metadata. */
export type GroupAssignor = (
  members: readonly GroupMemberInfo[],
) => Promise<ReadonlyMap<string, GroupAssignment>>

/**
 * `joined`: the generation is valid as far as we know. `rebalancing`: the group wants everybody to join again; commits of
 * the old generation still pass until we do, and heartbeats go on. `lost`: the group went on without us
 * (UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, no heartbeat answered within the session time-out): nothing may be committed.
 * `stopped`: see `failure`.
 */
export type MembershipStatus = 'created' | 'joined' | 'rebalancing' | 'lost' | 'stopped'

/**
 * Membership by the classic protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup). It never joins by itself: it says
 * that it should (`status`), and the worker calls `join` when its tasks have been brought to rest. So nobody loses a
 * partition in the middle of a transaction, and no barrier has to hide in a callback.
 */
export interface GroupMember extends AsyncDisposable {
  readonly status: MembershipStatus
  /** Set while joined or rebalancing. */
  readonly generation: GroupGeneration | undefined
  /** Why it stopped: AUTHORIZATION_FAILED, INSTANCE_ID_IN_USE (FENCED_INSTANCE_ID). */
  readonly failure: Error | undefined
  /** Called on every change of `status`. One listener. */
  onChange(listener: () => void): void
  /**
   * Joins (again) and returns what was assigned. Retries what passes by itself. Throws CLOSED when the signal aborts,
   * AUTHORIZATION_FAILED, INSTANCE_ID_IN_USE.
   */
  join(userData: Buffer, signal: AbortSignal): Promise<GroupAssignment>
  /** A rebalance is near: until the next `join` heartbeats are at most this far apart, milliseconds, so that it is heard of sooner. */
  expectRebalance(heartbeatIntervalMs: number): void
  /** Leaves the group (a static member stays in it, unless `permanently`), stops the heartbeat. */
  leave(permanently: boolean): Promise<void>
  close(): Promise<void>
}

// ---------------------------------------------------------------- the cluster

export interface TopicDescription {
  readonly name: string
  /** Changes when a topic is deleted and made again under the same name. */
  readonly topicId: string
  readonly partitions: number
}

export interface TopicSpecification {
  readonly name: string
  readonly partitions: number
  /** The broker's default when left out. */
  readonly replicationFactor?: number
  readonly configs: Readonly<Record<string, string>>
}

export interface CommittedOffset {
  readonly offset: number
  readonly metadata: string
}

/** Questions and orders to the cluster. Retries inside for as long as `requestTimeoutMs`, then BROKER_UNAVAILABLE. */
export interface ClusterAdmin {
  /** A missing topic is missing from the map. */
  describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>>
  /** Values of all settings by topic; missing topics are missing. */
  topicConfigs(names: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>
  /** Creates what does not exist; one that exists already (someone was faster) is no error. Returns when leaders are known. */
  createTopics(topics: readonly TopicSpecification[]): Promise<void>
  /** Where the log begins. */
  startOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>>
  /** The high watermark, open transactions included (READ_UNCOMMITTED): the end that a restore must reach. */
  endOffsets(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>>
  /** Stable ones (`requireStable`): waits while a transaction holds one back. Nothing committed: missing from the map. */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<ReadonlyMap<string, CommittedOffset>>
}

export interface FetcherOptions {
  /** Longest wait of one fetch on the broker, milliseconds. */
  readonly maxWaitMs: number
  readonly maxBytesPerPartition: number
  readonly maxBytes: number
  /** So many records of a partition are decoded for one poll, and the rest of their batch with them. @default all that is buffered */
  readonly recordsPerPoll?: number
}

export interface ProducerOptions {
  readonly transactionalId: string
  /** How long a transaction may last; without transactions, how long one call may. Milliseconds. */
  readonly transactionTimeoutMs: number
}

export interface GroupMemberOptions {
  readonly groupId: string
  readonly groupInstanceId: string | null
  /** What the group subscribes to; the broker only passes it on. */
  readonly topics: readonly string[]
  /** Name of the assignment protocol; all members must share it. */
  readonly protocolName: string
  readonly assignor: GroupAssignor
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
}

/** The one door to a cluster: whoever opens parts of it closes them, then it. */
export interface KafkaCluster extends AsyncDisposable {
  readonly admin: ClusterAdmin
  createFetcher(options: FetcherOptions): CommittedRecordsFetcher
  createProducer(options: ProducerOptions): TransactionalProducer
  createIdempotentProducer(options: ProducerOptions): IdempotentProducer
  createMember(options: GroupMemberOptions): GroupMember
  close(): Promise<void>
}
