import { outboxStore } from '../effects/outbox.ts'
import type { OutboxLimit } from '../effects/outbox-room.ts'
import type { TrafficLimits } from '../effects/traffic.ts'
import type { MailRequest } from '../sinks/mail-request.ts'
import type { Sink } from '../sinks/sink.ts'
import { WebhookSink } from '../sinks/webhook-sink.ts'
import { TopologyBuilder } from '../topology/builder.ts'
import type { Topology } from '../topology/topology.ts'
import { bounceProcessor } from './bounce-processor.ts'
import { callbackPrefetch, callbackProcessor } from './callback-processor.ts'
import { dedupPrefetch, dedupProcessor } from './dedup-processor.ts'
import { dedupStore } from './dedup-store.ts'
import { messageIdPrefetch, messageIdProcessor } from './message-id-processor.ts'
import { messageIdStore } from './message-id-store.ts'
import { disabledUrls } from './disabled-urls.ts'
import { type OutcomeRetention, outcomeStore } from './outcome-store.ts'
import type { EnvelopeIds } from './envelope-ids.ts'
import { sendEffect } from './send-effect.ts'
import { suppressionList, type SuppressionList } from './suppression.ts'
import { topicNames } from './topic-names.ts'
import { type EmailSerdes, emailTopics } from './topics.ts'
import { webhookEffect, type WebhookOptions } from './webhook-effect.ts'

export interface EmailTopologyOptions {
  readonly serdes: EmailSerdes
  /** Where mails go. It knows the sender of requests that name none. */
  readonly sink: Sink<MailRequest>
  /** How long an identity is kept, by record time, milliseconds. */
  readonly dedupWindowMs: number
  /** How much longer than its identity the end of a request is remembered, milliseconds. */
  readonly outcomesKeptMs: number
  /** What to do when nobody can know whether the relay took a mail, where the request leaves it open. */
  readonly inDoubt: 'hold' | 'resend'
  /** Delays before each retry, milliseconds: n delays are n retries. */
  readonly retryDelaysMs: readonly number[]
  /** How much each source and each recipient domain may have. @default no limits but the relay's connections */
  readonly limits?: TrafficLimits
  /** How many requests one instance keeps open before its partitions are paused. @default 1,000,000 or 10 GB */
  readonly outboxLimit?: OutboxLimit
  /** Where callbacks with a URL go as well. @default nowhere: without a key each of them becomes a dead letter */
  readonly webhooks?: WebhookOptions
  /** How mails that come back are recognised, and what is done about them; left out, they are not. */
  readonly bounces?: {
    /** Of the mails that the sink sends. */
    readonly envelopeIds: EnvelopeIds
    /** Whose address is suppressed: who is gone for good, or nobody. */
    readonly suppress: 'hard' | 'none'
    /** Whether a report without an envelope id of ours is recognised by the Message-ID of the mail. */
    readonly byMessageId: boolean
  }
}

const noWebhooks: WebhookOptions = Object.freeze({
  sink: new WebhookSink({ keys: [] }),
  retryDelaysMs: [],
})

/** The flagship: every accepted request is mailed once, and everybody who asked is told how it ended. See docs/design.md. */
export function emailTopology(options: EmailTopologyOptions): Topology {
  const { dedupWindowMs: windowMs, outcomesKeptMs: keptMs, bounces } = options
  const topics = emailTopics(options.serdes, windowMs)
  const { seen, outbox, outcomes, messageIds } = storesOf({ windowMs, keptMs })
  const suppressed = suppressionList(topics.suppressed)
  const send = sendEffectOf(options, suppressed)
  const disabled = disabledUrls(topics.webhooksDisabled)
  const webhook = webhookEffect(options.webhooks ?? noWebhooks, disabled)
  const webhooks = outboxStore('webhooks', webhook.rememberMs)

  return new TopologyBuilder()
    .globalTable(suppressed)
    .globalTable(disabled)

    .source('requests', topics.requested, { subTopology: 'dedup', reread: 'mark' })
    .source('rerouted', topics.requestsRepartition, { reread: 'mark' })
    .process('dedup', {
      from: ['requests', 'rerouted'],
      stores: [seen],
      prefetch: dedupPrefetch(seen),
      processor: () => dedupProcessor({ store: seen, windowMs }),
    })
    .sink('misplaced', { from: 'dedup', topic: topics.requestsRepartition })
    .sink('refused', { from: 'dedup', topic: topics.failed })
    .sink('duplicates', { from: 'dedup', topic: topics.duplicatesRepartition })
    .sink('accepted', { from: 'dedup', topic: topics.dedup })

    .source('mails', topics.dedup, { subTopology: 'send', reread: 'skip' })
    .source('commands', topics.sendCommands, { reread: 'skip' })
    .effect('send', { from: 'mails', commandsFrom: 'commands', store: outbox, definition: send })
    .sink('sent', { from: 'send', topic: topics.sent })
    .sink('failed', { from: 'send', topic: topics.failed })
    .sink('repeated', { from: 'send', topic: topics.duplicatesRepartition })

    .source('sent-ends', topics.sent, { subTopology: 'callback', reread: 'skip' })
    .source('failed-ends', topics.failed, { reread: 'skip' })
    .source('repeats', topics.duplicatesRepartition, { reread: 'skip' })
    .source('bounced', topics.bouncesRepartition, { reread: 'skip' })
    .process('callback', {
      from: ['sent-ends', 'failed-ends', 'repeats', 'bounced'],
      stores: [outcomes],
      prefetch: callbackPrefetch(outcomes, bounces),
      processor: () => callbackProcessor({ store: outcomes, keptMs, ...(bounces && { bounces }) }),
    })
    .sink('callbacks', { from: 'callback', topic: topics.callback })
    .sink('webhooks', { from: 'callback', topic: topics.webhooksRepartition })
    .sink('suppressions', { from: 'callback', topic: topics.suppressed })
    .sink('message-ids', { from: 'callback', topic: topics.messageIdsRepartition })

    .source('webhook-requests', topics.webhooksRepartition, {
      subTopology: 'webhook',
      reread: 'skip',
    })
    .source('webhook-commands', topics.webhookCommands, { reread: 'skip' })
    .effect('webhook', {
      from: 'webhook-requests',
      commandsFrom: 'webhook-commands',
      store: webhooks,
      definition: webhook,
    })
    .sink('disabled', { from: 'webhook', topic: topics.webhooksDisabled })

    .source('reports', topics.bounces, { subTopology: 'bounce' })
    .process('bounce', { from: 'reports', processor: () => bounceProcessor(bounces) })
    .sink('by-message-id', { from: 'bounce', topic: topics.messageIdsRepartition })
    .source('mails-by-message-id', topics.messageIdsRepartition)
    .process('recognise', {
      from: 'mails-by-message-id',
      stores: [messageIds],
      prefetch: messageIdPrefetch(messageIds),
      processor: () => messageIdProcessor(messageIds),
    })
    .sink('bounces', { from: ['bounce', 'recognise'], topic: topics.bouncesRepartition })

    .deadLetters(topicNames.deadLetter)
    .build()
}

/** Those that keep an identity for the window, and how it ended for longer. */
function storesOf({ windowMs, keptMs }: OutcomeRetention) {
  return {
    seen: dedupStore(windowMs),
    outbox: outboxStore('outbox', windowMs),
    outcomes: outcomeStore({ windowMs, keptMs }),
    messageIds: messageIdStore({ windowMs, keptMs }),
  }
}

function sendEffectOf(
  options: EmailTopologyOptions,
  suppressed: SuppressionList,
): ReturnType<typeof sendEffect> {
  const { serdes, sink, dedupWindowMs, inDoubt, retryDelaysMs, limits, outboxLimit } = options
  return sendEffect({
    sink,
    suppressed,
    requested: serdes.dedup,
    inDoubt,
    retryDelaysMs,
    rememberMs: dedupWindowMs,
    limits,
    outboxLimit,
  })
}
