import type { Serde } from '../serde.ts'
import { bytesSerde, utf8Serde } from '../serde.ts'
import type { Topic } from '../topology/topology.ts'
import { duplicateRequestSerde, type DuplicateRequest } from './duplicate-request.ts'
import type { EmailCallback, EmailFailed, EmailRequested, EmailSent } from './records.ts'
import { topicNames } from './topic-names.ts'

/** How the values of the contract's topics look as bytes: with a registry in production, without one in tests. */
export interface EmailSerdes {
  readonly requested: Serde<EmailRequested>
  readonly dedup: Serde<EmailRequested>
  readonly sent: Serde<EmailSent>
  readonly failed: Serde<EmailFailed>
  readonly callback: Serde<EmailCallback>
}

export interface EmailTopics {
  /** Any producer writes here: the key is any bytes or none. */
  readonly requested: Topic<Buffer | null, EmailRequested>
  readonly dedup: Topic<string, EmailRequested>
  readonly sent: Topic<string, EmailSent>
  readonly failed: Topic<string, EmailFailed>
  readonly callback: Topic<string, EmailCallback>
  /** Requests that were not written to the partition of their request id, on their way there. */
  readonly requestsRepartition: Topic<string, EmailRequested>
  /** Duplicates that asked for a callback. */
  readonly duplicatesRepartition: Topic<string, DuplicateRequest>
}

/** Records of a repartition topic are read within seconds; a day bridges a stopped processor, a week a forgotten one. */
const repartitionConfigs = Object.freeze({
  'cleanup.policy': 'delete',
  'retention.ms': String(7 * 24 * 3600 * 1000),
  'message.timestamp.type': 'CreateTime',
})

export function emailTopics(serdes: EmailSerdes): EmailTopics {
  const internal = { configs: repartitionConfigs }
  const key = utf8Serde
  return Object.freeze({
    // A null key is passed as null without asking the serde.
    requested: { name: topicNames.requested, key: bytesSerde, value: serdes.requested },
    dedup: { name: topicNames.dedup, key, value: serdes.dedup },
    sent: { name: topicNames.sent, key, value: serdes.sent },
    failed: { name: topicNames.failed, key, value: serdes.failed },
    callback: { name: topicNames.callback, key, value: serdes.callback },
    requestsRepartition: { name: 'requests-repartition', key, value: serdes.requested, internal },
    duplicatesRepartition: {
      name: 'duplicates-repartition',
      key,
      value: duplicateRequestSerde,
      internal,
    },
  })
}
