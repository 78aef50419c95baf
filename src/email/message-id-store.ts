import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { StoreDefinition } from '../state/store.ts'
import type { RecipientStatus } from './delivery-status.ts'
import type { RequestName } from './identity.ts'
import type { OutcomeRetention } from './outcome-store.ts'
import type { FirstPlace } from './record-headers.ts'

/** Whose mail it is that has a Message-ID. */
export interface MailOwner extends RequestName {
  readonly kind: 'mail'
  /** When the request ended, milliseconds. */
  readonly endedAtMs: number
}

/** A report that knows its mail by the Message-ID alone. */
export interface NamelessReport {
  readonly kind: 'report'
  readonly failed: readonly RecipientStatus[]
  readonly reported: FirstPlace
}

/** What goes to the partition of a Message-ID: both, so that they meet there in their order. */
export type MessageIdRecord = MailOwner | NamelessReport

/** JSON: fields can be added, and whoever is older leaves them alone. */
function jsonSerde<T>(what: string): Serde<T> {
  return Object.freeze({
    isReady: () => true,
    prepare: () => Promise.resolve(),
    serialize: (value: T) => Buffer.from(JSON.stringify(value)),
    deserialize: (bytes: Buffer): T => {
      try {
        return JSON.parse(bytes.toString('utf8')) as T
      } catch (cause) {
        throw new StreamsError('RECORD_UNDECODABLE', `not ${what}`, { cause })
      }
    },
  })
}

export const messageIdRecordSerde = jsonSerde<MessageIdRecord>('a record of a Message-ID')

/** Message-IDs of mails, for as long as their outcomes are known. */
export function messageIdStore({ windowMs, keptMs }: OutcomeRetention): StoreDefinition<MailOwner> {
  return {
    name: 'message-ids',
    kind: 'rocksdb',
    value: jsonSerde<MailOwner>('the owner of a mail'),
    changelogConfigs: { 'cleanup.policy': 'compact' },
    expiresAtMs: (_id, { endedAtMs }) => endedAtMs + windowMs + keptMs,
  }
}
