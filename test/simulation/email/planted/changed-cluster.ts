import type {
  ClusterAdmin,
  CommittedRecordsFetcher,
  FetcherOptions,
  GroupMember,
  GroupMemberOptions,
  IdempotentProducer,
  KafkaCluster,
  ProducerOptions,
  TransactionalProducer,
} from '../../../../src/runtime/ports.ts'

/** The doors of a cluster that somebody wants to change; the rest stays as it is. */
export interface ClusterChanges {
  readonly admin?: (inner: ClusterAdmin) => ClusterAdmin
  readonly fetcher?: (
    inner: CommittedRecordsFetcher,
    options: FetcherOptions,
  ) => CommittedRecordsFetcher
  readonly producer?: (
    inner: TransactionalProducer,
    options: ProducerOptions,
  ) => TransactionalProducer
  readonly idempotentProducer?: (inner: IdempotentProducer) => IdempotentProducer
  readonly memberOptions?: (options: GroupMemberOptions) => GroupMemberOptions
  readonly member?: (inner: GroupMember) => GroupMember
}

const same = <T>(value: T): T => value

export function changedCluster(inner: KafkaCluster, changes: ClusterChanges): KafkaCluster {
  const { admin = same, fetcher = same, producer = same, member = same } = changes
  const { idempotentProducer = same, memberOptions = same } = changes
  return {
    admin: admin(inner.admin),
    createFetcher: options => fetcher(inner.createFetcher(options), options),
    createProducer: options => producer(inner.createProducer(options), options),
    createIdempotentProducer: options =>
      idempotentProducer(inner.createIdempotentProducer(options)),
    createMember: options => member(inner.createMember(memberOptions(options))),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  }
}
