import { type EffectCommand, effectCommandSerde } from '../effects/outbox.ts'
import { bytesSerde, type Serde, utf8Serde } from '../serde.ts'
import { topic } from '../topology/topic.ts'
import type { Topic } from '../topology/topology.ts'
import { type Bounce, bounceSerde } from './bounce.ts'
import { type BounceReport, bounceReportSerde } from './bounce-report.ts'
import { type DisabledUrl, disabledUrlSerde } from './disabled-urls.ts'
import { type DuplicateRequest, duplicateRequestSerde } from './duplicate-request.ts'
import type { WebhookRequest } from '../sinks/webhook-request.ts'
import { type MessageIdRecord, messageIdRecordSerde } from './message-id-store.ts'
import type {
  EmailCallback,
  EmailFailed,
  EmailRequested,
  EmailSent,
  EmailSuppressed,
} from './records.ts'
import { requestSerde } from './request-serde.ts'
import { topicNames } from './topic-names.ts'
import { webhookRequestSerde } from './webhook-event.ts'

/** How the values of the contract's topics look as bytes: with a registry in production, without one in tests. */
export interface EmailSerdes {
  readonly requested: Serde<EmailRequested>
  readonly dedup: Serde<EmailRequested>
  readonly sent: Serde<EmailSent>
  readonly failed: Serde<EmailFailed>
  readonly callback: Serde<EmailCallback>
  readonly suppressed: Serde<EmailSuppressed>
}

export interface EmailTopics {
  /** Any producer writes here: the key is any bytes or none. */
  readonly requested: Topic<Buffer | null, EmailRequested>
  readonly dedup: Topic<string, EmailRequested>
  readonly sent: Topic<string, EmailSent>
  readonly failed: Topic<string, EmailFailed>
  readonly callback: Topic<string, EmailCallback>
  /** Whole messages, as they came. */
  readonly bounces: Topic<Buffer | null, BounceReport>
  /** Owners of mails, and reports that look for them, by Message-ID. */
  readonly messageIdsRepartition: Topic<string, MessageIdRecord>
  /** Who did not get his mail, on the way to the request's own partition. */
  readonly bouncesRepartition: Topic<string, Bounce>
  /** By `suppressionKey`. */
  readonly suppressed: Topic<string, EmailSuppressed>
  /** Requests that were not written to the partition of their request id, on their way there. */
  readonly requestsRepartition: Topic<string, EmailRequested>
  /** Duplicates that asked for a callback. */
  readonly duplicatesRepartition: Topic<string, DuplicateRequest>
  /** Evidence about attempts, for whoever owns the request now. */
  readonly sendCommands: Topic<string, EffectCommand>
  /** Callbacks with a URL. */
  readonly webhooksRepartition: Topic<string, WebhookRequest>
  readonly webhookCommands: Topic<string, EffectCommand>
  /** By URL. */
  readonly webhooksDisabled: Topic<string, DisabledUrl>
}

const weekMs = 7 * 24 * 3_600_000

/** The topics of the topology. A repartition topic is kept for twice the window, as what it is made from and into. */
export function emailTopics(serdes: EmailSerdes, windowMs: number): EmailTopics {
  const internal = {
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': String(Math.max(2 * windowMs, weekMs)),
      // A re-routed request keeps the time at which it first stood.
      'message.timestamp.type': 'CreateTime',
      // Only we write here, nothing that was not read elsewhere and a few headers.
      'max.message.bytes': String(64 * 1024 * 1024),
    },
  }
  const key = utf8Serde
  const requests = requestSerde(serdes.requested)
  return Object.freeze({
    requested: topic<Buffer | null, EmailRequested>(topicNames.requested, {
      key: anyKeySerde,
      value: requests,
    }),
    dedup: topic(topicNames.dedup, { key, value: serdes.dedup }),
    sent: topic(topicNames.sent, { key, value: serdes.sent }),
    failed: topic(topicNames.failed, { key, value: serdes.failed }),
    callback: topic(topicNames.callback, { key, value: serdes.callback }),
    bounces: topic<Buffer | null, BounceReport>(topicNames.bounces, {
      key: anyKeySerde,
      value: bounceReportSerde(),
    }),
    messageIdsRepartition: topic('message-ids-repartition', {
      key,
      value: messageIdRecordSerde,
      internal,
    }),
    bouncesRepartition: topic('bounces-repartition', { key, value: bounceSerde, internal }),
    suppressed: topic(topicNames.suppressed, { key, value: serdes.suppressed }),
    requestsRepartition: topic('requests-repartition', { key, value: requests, internal }),
    duplicatesRepartition: topic('duplicates-repartition', {
      key,
      value: duplicateRequestSerde,
      internal,
    }),
    sendCommands: topic('send-commands', { key, value: effectCommandSerde, internal }),
    webhooksRepartition: topic('webhooks-repartition', {
      key,
      value: webhookRequestSerde,
      internal,
    }),
    webhooksDisabled: topic(topicNames.webhooksDisabled, { key, value: disabledUrlSerde }),
    webhookCommands: topic('webhook-commands', { key, value: effectCommandSerde, internal }),
  })
}

/** A missing key is passed on as null; no serde is asked. */
const anyKeySerde = bytesSerde as Serde<Buffer | null>
