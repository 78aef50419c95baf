import { hash } from 'node:crypto'
import { StreamsError } from '../errors.ts'
import type { WebhookRequest } from '../sinks/webhook-request.ts'
import type { KeyValueStore, StoreDefinition } from '../state/store.ts'
import type {
  PrefetchKey,
  Processor,
  ProcessorContext,
  RecordHeader,
  StreamRecord,
} from '../topology/topology.ts'
import type { DuplicateRequest, LaterTaker } from './duplicate-request.ts'
import { type EndReport, reportOf } from './end-report.ts'
import { identityOf } from './identity.ts'
import {
  keptBeyondWindowMs,
  type KnownEnd,
  laterTakersMax,
  type Outcome,
  type OutcomeEntry,
  outcomeEntrySerde,
  outcomeKey,
  type WaitingDuplicate,
  waitingKey,
} from './outcome-store.ts'
import { traceHeaders } from './trace-headers.ts'
import type { Callback, CallbackOutcome, EmailCallback, EmailFailed, EmailSent } from './records.ts'
import { topicNames } from './topic-names.ts'
import { webhookOf } from './webhook-event.ts'

export type EndRecord = StreamRecord<string, EmailSent | EmailFailed | DuplicateRequest>
export type CallbackRecord =
  | StreamRecord<string, EmailCallback>
  | StreamRecord<string, WebhookRequest>

export interface CallbackOptions {
  readonly store: StoreDefinition<OutcomeEntry>
}

/** The sinks below the callback stage. */
const children = Object.freeze({ callbacks: 'callbacks', webhooks: 'webhooks' })

/** More duplicates than these do not wait for one end: those that come after are answered at once. */
const waitingMax = 10_000
/** A page takes no more duplicates from this size on, bytes. */
const pageBytesMax = 64 * 1024

const nothingKnown: Outcome = Object.freeze({
  kind: 'outcome',
  sequence: 0,
  end: null,
  pages: 0,
  waiting: 0,
  awaited: false,
  touchedMs: 0,
  laterTakers: Object.freeze([]),
})

/**
 * Reports ends to those who asked for it, and tells duplicates how their original ended: at once when that is known, else
 * when it is. It alone numbers the callbacks of an identity. What happens to one record (CONFLICT, TOO_OLD) is reported
 * for that record and says nothing of the original.
 */
export function callbackProcessor(options: CallbackOptions): Processor<EndRecord, CallbackRecord> {
  return {
    process: (record, context) => new CallbackStep(record, context, options).take(record.value),
  }
}

/** The keys that a record needs. */
export function callbackPrefetch(
  store: StoreDefinition<OutcomeEntry>,
): (record: StreamRecord) => readonly PrefetchKey[] {
  return record => [{ store, key: outcomeKey(identityOf((record as EndRecord).value)) }]
}

/** Whom a callback is for, and what made it. */
interface Cause {
  readonly topic: string
  readonly place: { readonly partition: number; readonly offset: number }
  readonly timestampMs: number
  readonly callback: Callback
  readonly headers: readonly RecordHeader[]
}

/** One record's way through the stage. */
class CallbackStep {
  readonly #record: EndRecord
  readonly #context: ProcessorContext<CallbackRecord>
  readonly #store: KeyValueStore<OutcomeEntry>
  readonly #identity: string
  #outcome: Outcome

  constructor(
    record: EndRecord,
    context: ProcessorContext<CallbackRecord>,
    { store }: CallbackOptions,
  ) {
    this.#record = record
    this.#context = context
    this.#store = context.store(store)
    this.#identity = identityOf(record.value)
    const entry = this.#store.get(outcomeKey(this.#identity))
    this.#outcome = entry?.kind === 'outcome' ? entry : nothingKnown
  }

  take(value: EmailSent | EmailFailed | DuplicateRequest): void {
    if ('original' in value) this.#takeDuplicate(value)
    else this.#takeEnd(reportOf(value))
    const touchedMs = Math.max(this.#outcome.touchedMs, this.#record.timestampMs)
    this.#store.put(outcomeKey(this.#identity), { ...this.#outcome, touchedMs })
  }

  #takeEnd(report: EndReport): void {
    const { callback } = this.#record.value
    if (callback !== null) {
      this.#call(report.outcome, report.detail, report.end, {
        ...this.#ownCause(),
        callback,
        headers: this.#record.headers,
      })
    }
    // A conflict presupposes an original whose end comes or is known; what is too old does not.
    if (report.concerns === 'record') {
      if (report.end.words === 'FAILED CONFLICT')
        this.#outcome = { ...this.#outcome, awaited: true }
      return
    }
    this.#outcome = { ...this.#outcome, end: report.end }
    this.#answerWaiting(report.end)
  }

  #takeDuplicate(duplicate: DuplicateRequest): void {
    const { partition, offset, timestampMs, callback, original, taker } = duplicate
    if (taker !== null) this.#noteLaterTaker(taker)
    if (callback === null) return
    const waiting = { partition, offset, timestampMs, callback, headers: this.#record.headers }
    const { end } = this.#outcome
    const known = end && this.#endOf(original.requestedAtMs, end)
    if (known) return this.#answerDuplicate(waiting, known)
    // An end that has not been known for so long has come and is forgotten, or comes too late to be waited for. So it is where
    // a later request of that name has ended since: it was taken for a new one because the original had ended.
    const superseded = end !== null && end.requestedAtMs > original.requestedAtMs
    const late =
      superseded || this.#context.streamTimeMs > original.knownUntilMs + keptBeyondWindowMs
    if (late || this.#outcome.waiting >= waitingMax) {
      const words = late ? 'UNKNOWN: no longer known' : 'UNKNOWN: too many duplicates wait for it'
      return this.#answerDuplicate(waiting, {
        words,
        messageId: null,
        requestedAtMs: original.requestedAtMs,
        atMs: timestampMs,
      })
    }
    this.#wait(waiting)
  }

  /** What is known of the request that took the identity at that time. */
  #endOf(requestedAtMs: number, end: KnownEnd): KnownEnd | undefined {
    if (end.requestedAtMs === requestedAtMs) return end
    const taker = this.#outcome.laterTakers.find(each => each.requestedAtMs === requestedAtMs)
    return taker && endOfTaker(taker, end)
  }

  /** Whoever waits although an end is known waits for a later one: that this taker will not have. */
  #noteLaterTaker(taker: LaterTaker): void {
    const { end, laterTakers } = this.#outcome
    this.#outcome = {
      ...this.#outcome,
      laterTakers: [...laterTakers, taker].slice(-laterTakersMax),
    }
    if (end !== null && taker.requestedAtMs > end.requestedAtMs)
      this.#answerWaiting(endOfTaker(taker, end))
  }

  #wait(duplicate: WaitingDuplicate): void {
    const { pages, waiting } = this.#outcome
    const last = pages === 0 ? undefined : this.#store.get(waitingKey(this.#identity, pages))
    const before = last?.kind === 'page' ? last.duplicates : []
    const full = last !== undefined && outcomeEntrySerde.serialize(last).length >= pageBytesMax
    const page = full || pages === 0 ? pages + 1 : pages
    const duplicates = full ? [duplicate] : [...before, duplicate]
    this.#store.put(waitingKey(this.#identity, page), { kind: 'page', duplicates })
    this.#outcome = { ...this.#outcome, pages: page, waiting: waiting + 1 }
  }

  #answerWaiting(end: KnownEnd): void {
    for (let page = 1; page <= this.#outcome.pages; page += 1) {
      const key = waitingKey(this.#identity, page)
      const entry = this.#store.get(key)
      if (entry?.kind !== 'page') continue
      for (const duplicate of entry.duplicates) this.#answerDuplicate(duplicate, end)
      this.#store.delete(key)
    }
    this.#outcome = { ...this.#outcome, pages: 0, waiting: 0 }
  }

  #answerDuplicate(duplicate: WaitingDuplicate, end: KnownEnd): void {
    const { partition, offset, timestampMs, callback, headers } = duplicate
    const atMs = Math.max(timestampMs, end.atMs)
    this.#call(
      'DUPLICATE',
      end.words,
      { ...end, atMs },
      {
        topic: topicNames.requested,
        place: { partition, offset },
        timestampMs,
        callback,
        headers,
      },
    )
  }

  #ownCause(): Pick<Cause, 'topic' | 'place' | 'timestampMs'> {
    const { origin } = this.#context
    if (origin === undefined) throw new StreamsError('INTERNAL', 'an end without a place')
    return { topic: origin.topic, place: origin, timestampMs: this.#record.timestampMs }
  }

  #call(
    outcome: CallbackOutcome,
    detail: string,
    { messageId, atMs }: Pick<KnownEnd, 'messageId' | 'atMs'>,
    cause: Cause,
  ): void {
    const { source, requestId } = this.#record.value
    const sequence = this.#outcome.sequence + 1
    const eventId = eventIdOf(this.#identity, cause)
    this.#outcome = { ...this.#outcome, sequence }
    this.#context.count('callbacks')
    const { context, url } = cause.callback
    const value: EmailCallback = {
      eventId,
      requestId,
      source,
      sequence,
      outcome,
      detail,
      messageId,
      context,
      occurredAt: atMs,
    }
    const headers = traceHeaders(cause.headers, () => eventId)
    const record = { key: requestId, timestampMs: atMs, headers }
    this.#context.forward({ ...record, value }, children.callbacks)
    if (url !== null)
      this.#context.forward({ ...record, value: webhookOf(value, url) }, children.webhooks)
  }
}

function endOfTaker({ words }: LaterTaker, end: KnownEnd): KnownEnd {
  return words === null ? end : { ...end, words, messageId: null }
}

/** Names the record that made the callback: the same on every replay, another for every other cause. */
function eventIdOf(identity: string, { topic, place, timestampMs }: Cause): string {
  const cause = [identity, topic, place.partition, place.offset, timestampMs].join('\0')
  return hash('sha256', cause, 'hex').slice(0, 32)
}
