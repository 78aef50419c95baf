import { StreamsError } from '../errors.ts'
import type {
  CommittedRecordsFetcher,
  FetcherOptions,
  GroupMember,
  GroupMemberOptions,
  IdempotentProducer,
  KafkaCluster,
  ProducerOptions,
  TransactionalProducer,
} from '../runtime/ports.ts'
import { KafkaClusterAdmin } from './cluster-admin.ts'
import { KafkaCommittedRecordsFetcher } from './committed-records-fetcher.ts'
import { KafkaGroupMember } from './group-member.ts'
import { KafkaIdempotentProducer } from './idempotent-producer.ts'
import { resolveKafkaOptions, type KafkaOptions } from './options.ts'
import { KafkaTransactionalProducer } from './transactional-producer.ts'

/**
 * The door to a cluster of Kafka 3.9 or newer. Opens no connection by itself: each part does when it is first used.
 * Throws CONFIGURATION_INVALID for options that cannot be meant.
 */
export function connectKafka(options: KafkaOptions): KafkaCluster {
  const resolved = resolveKafkaOptions(options)
  const admin = new KafkaClusterAdmin(resolved)
  let closed = false
  const open = <T>(create: () => T): T => {
    if (closed) throw new StreamsError('CLOSED', 'the cluster is closed')
    return create()
  }
  const close = async (): Promise<void> => {
    closed = true
    await admin.close()
  }
  return Object.freeze({
    admin,
    createFetcher: (fetcher: FetcherOptions): CommittedRecordsFetcher =>
      open(() => new KafkaCommittedRecordsFetcher(resolved, fetcher)),
    createProducer: (producer: ProducerOptions): TransactionalProducer =>
      open(() => new KafkaTransactionalProducer(resolved, producer)),
    createIdempotentProducer: (producer: ProducerOptions): IdempotentProducer =>
      open(() => new KafkaIdempotentProducer(resolved, producer)),
    createMember: (member: GroupMemberOptions): GroupMember =>
      open(() => new KafkaGroupMember(resolved, member)),
    close,
    [Symbol.asyncDispose]: close,
  })
}
