import { protocolErrorsCodesById } from './wire-library.ts'
import { StreamsError, type ErrorCode } from '../errors.ts'

/**
 * What to do about a failed request. `again`: the same broker, soon. `elsewhere`: the same request, after asking who
 * is responsible now. `lost`: no answer came, it may have been carried out. Anything else is the code the caller
 * gets.
 */
export type Handling = 'again' | 'elsewhere' | 'lost' | ErrorCode

/** Names of errors that a broker answered with; numbers we do not know stay numbers. */
export function errorName(code: number): string {
  return (protocolErrorsCodesById as Readonly<Record<number, string>>)[code] ?? `ERROR_${code}`
}

const handlings: Readonly<Record<string, Handling>> = Object.freeze({
  // The broker works on it: markers of the last transaction, a partition of offsets that loads, replicas that
  // catch up.
  CONCURRENT_TRANSACTIONS: 'again',
  COORDINATOR_LOAD_IN_PROGRESS: 'again',
  UNSTABLE_OFFSET_COMMIT: 'again',
  NOT_ENOUGH_REPLICAS: 'again',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'again',
  REQUEST_TIMED_OUT: 'again',
  THROTTLING_QUOTA_EXCEEDED: 'again',
  OFFSET_NOT_AVAILABLE: 'again',
  UNKNOWN_LEADER_EPOCH: 'again',
  CORRUPT_MESSAGE: 'again', // Damaged on the way: the broker compares the checksum before it appends.

  NOT_COORDINATOR: 'elsewhere',
  COORDINATOR_NOT_AVAILABLE: 'elsewhere',
  LEADER_NOT_AVAILABLE: 'elsewhere',
  NOT_LEADER_OR_FOLLOWER: 'elsewhere',
  FENCED_LEADER_EPOCH: 'elsewhere',
  REPLICA_NOT_AVAILABLE: 'elsewhere',
  BROKER_NOT_AVAILABLE: 'elsewhere',
  KAFKA_STORAGE_ERROR: 'elsewhere',
  UNKNOWN_TOPIC_OR_PARTITION: 'elsewhere',
  UNKNOWN_TOPIC_ID: 'elsewhere',
  INCONSISTENT_TOPIC_ID: 'elsewhere',
  NOT_CONTROLLER: 'elsewhere',

  // 47 comes from a partition leader, 90 from the coordinator, 49 from one that has forgotten us: all mean fenced
  // (KIP-588).
  INVALID_PRODUCER_EPOCH: 'TRANSACTION_FENCED',
  PRODUCER_FENCED: 'TRANSACTION_FENCED',
  INVALID_PRODUCER_ID_MAPPING: 'TRANSACTION_FENCED',
  TRANSACTION_COORDINATOR_FENCED: 'TRANSACTION_FENCED',

  // The transaction is broken, the producer is not: abort it and process the same records again.
  TRANSACTION_ABORTABLE: 'TRANSACTION_ABORTED',
  OPERATION_NOT_ATTEMPTED: 'TRANSACTION_ABORTED',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'TRANSACTION_ABORTED',
  UNKNOWN_PRODUCER_ID: 'TRANSACTION_ABORTED',
  INVALID_TXN_STATE: 'TRANSACTION_ABORTED',
  // The batch is in the log, but the broker no longer knows where: who is promised a range must write it again.
  DUPLICATE_SEQUENCE_NUMBER: 'TRANSACTION_ABORTED',

  ILLEGAL_GENERATION: 'GROUP_FENCED',
  UNKNOWN_MEMBER_ID: 'GROUP_FENCED',
  REBALANCE_IN_PROGRESS: 'GROUP_FENCED',
  STALE_MEMBER_EPOCH: 'GROUP_FENCED',
  FENCED_MEMBER_EPOCH: 'GROUP_FENCED',

  FENCED_INSTANCE_ID: 'INSTANCE_ID_IN_USE',

  MESSAGE_TOO_LARGE: 'RECORD_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'RECORD_TOO_LARGE',
  OFFSET_OUT_OF_RANGE: 'OFFSET_OUT_OF_RANGE',

  TOPIC_AUTHORIZATION_FAILED: 'AUTHORIZATION_FAILED',
  GROUP_AUTHORIZATION_FAILED: 'AUTHORIZATION_FAILED',
  CLUSTER_AUTHORIZATION_FAILED: 'AUTHORIZATION_FAILED',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'AUTHORIZATION_FAILED',
  SASL_AUTHENTICATION_FAILED: 'AUTHORIZATION_FAILED',
  UNSUPPORTED_SASL_MECHANISM: 'AUTHORIZATION_FAILED',

  INVALID_REPLICATION_FACTOR: 'CONFIGURATION_INVALID',
  INVALID_PARTITIONS: 'CONFIGURATION_INVALID',
  INVALID_CONFIG: 'CONFIGURATION_INVALID',
  INVALID_TOPIC_EXCEPTION: 'CONFIGURATION_INVALID',
  POLICY_VIOLATION: 'CONFIGURATION_INVALID',
  INVALID_SESSION_TIMEOUT: 'CONFIGURATION_INVALID',
  INVALID_TRANSACTION_TIMEOUT: 'CONFIGURATION_INVALID',
  INCONSISTENT_GROUP_PROTOCOL: 'CONFIGURATION_INVALID',
  INVALID_GROUP_ID: 'CONFIGURATION_INVALID',
  OFFSET_METADATA_TOO_LARGE: 'CONFIGURATION_INVALID',
  UNSUPPORTED_VERSION: 'CONFIGURATION_INVALID',
})

/** An unlisted name stops the worker: guessing about a broker's answer is how a zombie commits twice. */
export function handlingOf(name: string): Handling {
  return handlings[name] ?? 'INTERNAL'
}

/** Every broker error name in a failure of the wire library, in its order; empty when there was no answer. */
export function errorNamesOf(error: unknown): string[] {
  const names: string[] = []
  const visit = (each: unknown): void => {
    if (typeof each !== 'object' || each === null) return
    const { apiId, errors } = each as { apiId?: unknown; errors?: unknown }
    if (typeof apiId === 'string') names.push(apiId)
    else if (Array.isArray(errors)) errors.forEach(visit)
  }
  visit(error)
  return names
}

/** No answer at all: the connection broke or the time was up while the request was under way. */
function isLost(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { code } = error as { code?: unknown }
  return code === 'PLT_KFK_NETWORK' || code === 'PLT_KFK_UNEXPECTED_CORRELATION_ID'
}

/**
 * The one decision about a thrown failure. Of several errors the one that ends more wins: a code, then `elsewhere`.
 */
export function classify(error: unknown): Handling {
  if (error instanceof StreamsError)
    return error.code === 'BROKER_UNAVAILABLE' ? 'elsewhere' : error.code
  const handlingsOfAll = errorNamesOf(error).map(handlingOf)
  if (handlingsOfAll.length === 0) return isLost(error) ? 'lost' : 'INTERNAL'
  const final = handlingsOfAll.find(each => each !== 'again' && each !== 'elsewhere')
  return final ?? (handlingsOfAll.includes('elsewhere') ? 'elsewhere' : 'again')
}

/** Ours as it is, a foreign one under the given code with the names in its message. */
export function toStreamsError(error: unknown, code: ErrorCode, doing: string): StreamsError {
  if (error instanceof StreamsError) return error
  const names = errorNamesOf(error)
  const reason = names.length > 0 ? [...new Set(names)].join(', ') : 'no answer from the broker'
  return new StreamsError(code, `${doing}: ${reason}`, { cause: error })
}
