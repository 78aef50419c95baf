/**
 * What the caller does about an error:
 * `stop` ends the instance with the message; `retry` aborts the transaction and processes the same records again;
 * `resolve` finds out whether the commit took place before anything else; `rejoin` drops every task and joins the
 * group again; `restore` deletes the local state and replays the changelog; `wait` keeps the partition paused and asks
 * again later; `skip` sends the record to the dead letters.
 */
export type Recovery = 'stop' | 'retry' | 'resolve' | 'rejoin' | 'restore' | 'wait' | 'skip'

const recoveries = {
  TOPOLOGY_INVALID: 'stop', // a bug or a wrong configuration
  CONFIGURATION_INVALID: 'stop', // a wrong flag, key or value
  ENVIRONMENT_MISSING: 'stop', // Java, Maven, libatomic, a Node that is new enough
  ENVIRONMENT_FAILED: 'stop', // a server of the embedded environment did not start
  TOPIC_MISSING: 'stop', // `topics create` makes it
  TOPIC_MISMATCH: 'stop', // partition counts that do not fit each other or the store
  SCHEMA_MISSING: 'stop', // `schemas register` makes it
  SCHEMA_INCOMPATIBLE: 'stop', // the registry refuses it
  STORE_IN_USE: 'wait', // another thread of this process has the store open: it gives it up in a moment
  THREAD_DIED: 'stop', // one of several threads of this process has ended
  STATE_LOCKED: 'stop', // another live process owns the state directory
  INSTANCE_ID_IN_USE: 'stop', // another live process uses the transactional id
  APPLICATION_ID_CHANGED: 'stop', // another application id has accepted requests from the same topics
  CHANGELOG_LOST: 'stop', // offsets exist, the changelog does not: an empty store would mail everything again
  OFFSET_OUT_OF_RANGE: 'stop', // input was deleted before it was read: never jump in silence
  AUTHORIZATION_FAILED: 'stop', // the broker refuses us
  DISK_FULL: 'stop', // nothing is sent that could not be journaled
  BROKER_UNAVAILABLE: 'retry', // no connection, no leader, no coordinator: back off and try again
  TRANSACTION_ABORTED: 'retry', // abort, process the same records again
  RECORD_TOO_LARGE: 'stop', // one record beyond the topic's max.message.bytes
  CHANGELOG_DISTURBED: 'retry', // at least once: somebody else has written to our changelog
  COMMIT_OUTCOME_UNKNOWN: 'resolve', // a lost reply to EndTxn: it may have committed
  TRANSACTION_FENCED: 'rejoin', // a newer owner of the transactional id, or a transaction that timed out
  GROUP_FENCED: 'rejoin', // the group has moved on without us
  STORE_UNREADABLE: 'stop', // a newer release wrote its entries, or the disk breaks it again and again
  STORE_CORRUPTED: 'restore', // delete the local state, replay the changelog
  REGISTRY_UNAVAILABLE: 'wait', // the schema may exist: never a dead letter
  PROCESSOR_FAILED: 'retry', // an exception over one record: after three it goes to the dead letters
  RECORD_UNDECODABLE: 'skip', // null, wrong magic, unknown schema, bytes that do not decode
  KEY_NOT_LOADED: 'retry', // a store read that nobody declared: load the key and process the record again
  RELAY_UNAVAILABLE: 'wait', // no connection to the relay
  WEBHOOK_UNDELIVERED: 'skip', // every retry of a webhook was used up
  WEBHOOK_REFUSED: 'skip', // a webhook that no retry would deliver: its URL, its address, no key, 410
  HTTP_ADDRESS_UNUSABLE: 'stop', // the address of probes and metrics is taken
  LMTP_ADDRESS_UNUSABLE: 'stop', // the address at which reports are taken is taken
  REQUEST_INVALID: 'stop', // `send` was given what is no request
  REQUEST_UNKNOWN: 'stop', // no store and no dead letter has what a person asks about
  DECISION_REFUSED: 'stop', // a person wants what the state of a request does not allow
  INSTANCE_UNREACHABLE: 'stop', // no instance answers a person's question
  CLOSED: 'stop', // used after close
  INTERNAL: 'stop', // a broken promise of ours
} as const satisfies Record<string, Recovery>

export type ErrorCode = keyof typeof recoveries

export const errorCodes: readonly ErrorCode[] = Object.freeze(
  Object.keys(recoveries) as ErrorCode[],
)

/** The one error class of the project. Codes are stable, messages are not; `docs/errors.md` has one heading a code. */
export class StreamsError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StreamsError'
    this.code = code
  }

  get recovery(): Recovery {
    return recoveries[this.code]
  }
}

/** The error's code, or undefined when it is not ours. */
export function errorCodeOf(error: unknown): ErrorCode | undefined {
  return error instanceof StreamsError ? error.code : undefined
}

/** One readable line for any thrown thing, with its causes, each said once. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause === undefined) return error.message
  const cause = describeError(error.cause)
  return error.message.includes(cause) ? error.message : `${error.message} (${cause})`
}
