import type { Bounce } from '../../src/email/bounce.ts'
import {
  type CallbackOptions,
  callbackProcessor,
  type EndRecord,
} from '../../src/email/callback-processor.ts'
import type { DuplicateRequest } from '../../src/email/duplicate-request.ts'
import { type OutcomeEntry, outcomeStore } from '../../src/email/outcome-store.ts'
import type {
  EmailCallback,
  EmailFailed,
  EmailSent,
  EmailSuppressed,
} from '../../src/email/records.ts'
import type { WebhookRequest } from '../../src/sinks/webhook-request.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import type { StreamRecord } from '../../src/topology/topology.ts'
import { noonMs } from './email-requests.ts'
import { FakeContext } from './fake-context.ts'

export const windowMs = 7 * 24 * 3_600_000
export const keptMs = 2 * 24 * 3_600_000
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

export function bounce(fields: Partial<Bounce> = {}): Bounce {
  return {
    requestId: 'r-1',
    source: 'billing',
    recipient: 'ada@example.org',
    status: '5.1.1',
    diagnostic: '550 5.1.1 nobody here',
    reported: { partition: 1, offset: 7, timestampMs: noonMs + 60_000 },
    signed: true,
    ...fields,
  }
}

/** One task of the callback stage over maps. */
export class CallbackStage {
  readonly context = new FakeContext()
  readonly store: StoreDefinition<OutcomeEntry> = outcomeStore({ windowMs, keptMs })
  /** Those that have come so far. */
  readonly webhooks: StreamRecord<string, WebhookRequest>[] = []
  /** What went to the suppression list, by key. */
  readonly suppressions = new Map<string, EmailSuppressed>()
  readonly #bounces: CallbackOptions['bounces']
  #nextOffset = 0

  constructor(bounces?: CallbackOptions['bounces']) {
    this.#bounces = bounces
  }

  /** Processes one record and returns the callbacks it brought. */
  read(
    value: EndRecord['value'],
    place: { readonly offset?: number; readonly headers?: EndRecord['headers'] } = {},
  ): StreamRecord<string, EmailCallback>[] {
    const offset = place.offset ?? this.#nextOffset
    this.#nextOffset = offset + 1
    const { topic, timestampMs } = placeOf(value)
    this.context.origin = { topic, partition: 0, offset }
    this.context.streamTimeMs = Math.max(this.context.streamTimeMs, timestampMs)
    const record = { key: value.requestId, value, timestampMs, headers: place.headers ?? [] }
    const bounces = this.#bounces
    const options = { store: this.store, keptMs, ...(bounces && { bounces }) }
    callbackProcessor(options).process(record, this.context)
    return this.context.take().flatMap(each => {
      if (each.to === 'callbacks') return [each.record as StreamRecord<string, EmailCallback>]
      if (each.to === 'webhooks')
        this.webhooks.push(each.record as StreamRecord<string, WebhookRequest>)
      if (each.to === 'suppressions')
        this.suppressions.set(each.record.key as string, each.record.value as EmailSuppressed)
      return []
    })
  }
}

function placeOf(value: EndRecord['value']): {
  readonly topic: string
  readonly timestampMs: number
} {
  if ('sentAt' in value) return { topic: 'email.sent', timestampMs: value.sentAt }
  if ('failedAt' in value) return { topic: 'email.failed', timestampMs: value.failedAt }
  if ('original' in value)
    return { topic: 'mailonce-duplicates-repartition', timestampMs: value.timestampMs }
  return { topic: 'mailonce-bounces-repartition', timestampMs: value.reported.timestampMs }
}
