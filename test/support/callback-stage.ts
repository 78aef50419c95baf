import { callbackProcessor, type EndRecord } from '../../src/email/callback-processor.ts'
import type { DuplicateRequest } from '../../src/email/duplicate-request.ts'
import { type OutcomeEntry, outcomeStore } from '../../src/email/outcome-store.ts'
import type { EmailCallback, EmailFailed, EmailSent } from '../../src/email/records.ts'
import type { WebhookRequest } from '../../src/sinks/webhook-request.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import type { StreamRecord } from '../../src/topology/topology.ts'
import { noonMs } from './email-requests.ts'
import { FakeContext } from './fake-context.ts'

export const windowMs = 7 * 24 * 3_600_000
export const callback = { context: { order: '7' }, url: null }

export function emailSent(fields: Partial<EmailSent> = {}): EmailSent {
  return {
    requestId: 'r-1',
    source: 'billing',
    messageId: '<m@example.org>',
    recipients: [],
    relay: 'relay:25',
    reply: '250 2.0.0 queued',
    attempts: 1,
    callback,
    requestedAt: noonMs,
    sentAt: noonMs + 10,
    ...fields,
  }
}

export function emailFailed(fields: Partial<EmailFailed> = {}): EmailFailed {
  return {
    requestId: 'r-1',
    source: 'billing',
    reason: 'REJECTED',
    detail: '550 5.1.1 nobody',
    recipients: [],
    attempts: 1,
    messageId: null,
    relay: null,
    callback,
    requestedAt: noonMs,
    failedAt: noonMs + 10,
    ...fields,
  }
}

export function duplicateRequest(fields: Partial<DuplicateRequest> = {}): DuplicateRequest {
  return {
    requestId: 'r-1',
    source: 'billing',
    callback: { context: { order: 'again' }, url: null },
    partition: 0,
    offset: 100,
    timestampMs: noonMs + 5,
    taker: null,
    original: { requestedAtMs: noonMs, knownUntilMs: noonMs + windowMs },
    ...fields,
  }
}

/** One task of the callback stage over maps. */
export class CallbackStage {
  readonly context = new FakeContext()
  readonly store: StoreDefinition<OutcomeEntry> = outcomeStore(windowMs)
  /** Those that have come so far. */
  readonly webhooks: StreamRecord<string, WebhookRequest>[] = []
  #nextOffset = 0

  /** Processes one record and returns the callbacks it brought. */
  read(
    value: EndRecord['value'],
    place: { readonly offset?: number; readonly headers?: EndRecord['headers'] } = {},
  ): StreamRecord<string, EmailCallback>[] {
    const offset = place.offset ?? this.#nextOffset
    this.#nextOffset = offset + 1
    const isSent = 'sentAt' in value
    const isFailed = 'failedAt' in value
    const topic = isSent
      ? 'email.sent'
      : isFailed
        ? 'email.failed'
        : 'mailonce-duplicates-repartition'
    const timestampMs = isSent ? value.sentAt : isFailed ? value.failedAt : value.timestampMs
    this.context.origin = { topic, partition: 0, offset }
    this.context.streamTimeMs = Math.max(this.context.streamTimeMs, timestampMs)
    const record = { key: value.requestId, value, timestampMs, headers: place.headers ?? [] }
    callbackProcessor({ store: this.store }).process(record, this.context)
    const taken = this.context.take()
    this.webhooks.push(
      ...taken
        .filter(each => each.to === 'webhooks')
        .map(each => each.record as StreamRecord<string, WebhookRequest>),
    )
    return taken
      .filter(each => each.to === 'callbacks')
      .map(each => each.record as StreamRecord<string, EmailCallback>)
  }
}
