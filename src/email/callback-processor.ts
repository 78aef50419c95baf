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
import { type Bounce, isHard } from './bounce.ts'
import type { DuplicateRequest, LaterTaker } from './duplicate-request.ts'
import { type EndReport, reportOf } from './end-report.ts'
import { identityOf } from './identity.ts'
import { type BounceNews, endedMail, type MailEntry, mailKey, withBounce } from './mail-entry.ts'
import type { MailOwner } from './message-id-store.ts'
import {
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
import type {
  Callback,
  CallbackOutcome,
  EmailCallback,
  EmailFailed,
  EmailSent,
  EmailSuppressed,
} from './records.ts'
import { suppressionKey } from './suppression.ts'
import { topicNames } from './topic-names.ts'
import { webhookOf } from './webhook-event.ts'

export type EndRecord = StreamRecord<string, EmailSent | EmailFailed | DuplicateRequest | Bounce>
export type CallbackRecord =
  | StreamRecord<string, EmailCallback>
  | StreamRecord<string, WebhookRequest>
  | StreamRecord<string, EmailSuppressed>
  | StreamRecord<string, MailOwner>

/** The sinks below the callback stage. */
export const callbackChildren = Object.freeze({
  callbacks: 'callbacks',
  webhooks: 'webhooks',
  suppressions: 'suppressions',
  messageIds: 'message-ids',
})

export interface CallbackOptions {
  readonly store: StoreDefinition<OutcomeEntry>
  /** How much longer than its identity an end is remembered, milliseconds. */
  readonly keptMs: number
  /** What is done about mails that come back; left out, nothing is remembered of them. */
  readonly bounces?: {
    /** Whose address is suppressed: who is gone for good, or nobody. */
    readonly suppress: 'hard' | 'none'
    /** Whether whose mail it is that has a Message-ID has to be known. */
    readonly byMessageId: boolean
  }
}

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
  bounces?: CallbackOptions['bounces'],
): (record: StreamRecord) => readonly PrefetchKey[] {
  return record => {
    const { value } = record as EndRecord
    const identity = identityOf(value)
    const outcome = { store, key: outcomeKey(identity) }
    return bounces === undefined || 'original' in value
      ? [outcome]
      : [outcome, { store, key: mailKey(identity) }]
  }
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
  readonly #keptMs: number
  readonly #bounces: CallbackOptions['bounces']
  readonly #identity: string
  #outcome: Outcome

  constructor(
    record: EndRecord,
    context: ProcessorContext<CallbackRecord>,
    { store, keptMs, bounces }: CallbackOptions,
  ) {
    this.#record = record
    this.#context = context
    this.#store = context.store(store)
    this.#keptMs = keptMs
    this.#bounces = bounces
    this.#identity = identityOf(record.value)
    const entry = this.#store.get(outcomeKey(this.#identity))
    this.#outcome = entry?.kind === 'outcome' ? entry : nothingKnown
  }

  take(value: EndRecord['value']): void {
    if ('original' in value) this.#takeDuplicate(value)
    else if ('diagnostic' in value) this.#takeBounce(value)
    else this.#takeEnd(reportOf(value), value)
    const touchedMs = Math.max(this.#outcome.touchedMs, this.#record.timestampMs)
    this.#store.put(outcomeKey(this.#identity), { ...this.#outcome, touchedMs })
  }

  #takeEnd(report: EndReport, value: EmailSent | EmailFailed): void {
    const { callback } = value
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
    this.#keepEndOfLater(report.end)
    this.#outcome = { ...this.#outcome, end: report.end }
    this.#answerWaiting(report.end)
    if (this.#bounces !== undefined) this.#noteMail(value)
  }

  /** Of two requests that have the identity the later one may end first: its end does not come again, so its duplicates must not wait for it. */
  #keepEndOfLater({ requestedAtMs }: KnownEnd): void {
    const { end } = this.#outcome
    if (end !== null && end.requestedAtMs > requestedAtMs)
      this.#addTaker({ requestedAtMs: end.requestedAtMs, words: end.words })
  }

  /** What was known of it before is not true any more. */
  #addTaker(taker: LaterTaker): void {
    const { laterTakers } = this.#outcome
    const others = laterTakers.filter(each => each.requestedAtMs !== taker.requestedAtMs)
    this.#outcome = { ...this.#outcome, laterTakers: [...others, taker].slice(-laterTakersMax) }
  }

  /** What came back before its end was known is told now. */
  #noteMail(value: EmailSent | EmailFailed): void {
    const before = this.#mail()
    const mail = endedMail(before, value, this.#record.timestampMs)
    if (mail === undefined) return
    if (this.#bounces?.byMessageId) this.#tellMessageId(mail)
    this.#store.put(mailKey(this.#identity), { ...mail, waiting: [] })
    for (const bounce of mail.waiting) this.#noteBounce(bounce)
  }

  #tellMessageId({ messageId }: MailEntry): void {
    const { source, requestId } = this.#record.value
    const { timestampMs: endedAtMs, headers } = this.#record
    this.#context.forward(
      {
        key: messageId ?? '',
        value: { kind: 'mail', source, requestId, endedAtMs },
        timestampMs: endedAtMs,
        headers: traceHeaders(headers, () => this.#identity),
      },
      callbackChildren.messageIds,
    )
  }

  #takeBounce(bounce: Bounce): void {
    const news = this.#noteBounce(bounce)
    if (news !== 'foreign') return
    const { requestId } = bounce
    throw new StreamsError(
      'RECORD_UNDECODABLE',
      `a report about ${bounce.recipient}, who is no recipient of ${requestId}`,
    )
  }

  #noteBounce(bounce: Bounce): BounceNews {
    const { entry, news } = withBounce(this.#mail(), bounce, this.#record.timestampMs)
    this.#store.put(mailKey(this.#identity), entry)
    const hasNews = news === 'new' || news === 'signed'
    if (hasNews && this.#bounces?.suppress === 'hard' && bounce.signed && isHard(bounce))
      this.#suppress(bounce)
    if (news === 'new') this.#tellBounce(bounce, entry)
    return news
  }

  #tellBounce({ recipient, status, diagnostic, reported }: Bounce, entry: MailEntry): void {
    this.#context.count('mails_bounced')
    if (entry.callback === null) return
    const detail = `${status} ${recipient}${diagnostic === '' ? '' : `: ${diagnostic}`}`
    const atMs = reported.timestampMs
    this.#call(
      'BOUNCED',
      detail,
      { messageId: entry.messageId, atMs },
      {
        // One report may be about several recipients, and each has a callback of its own.
        topic: `${topicNames.bounces} ${recipient}`,
        place: reported,
        timestampMs: atMs,
        callback: entry.callback,
        headers: this.#record.headers,
      },
    )
  }

  #suppress({ recipient, status, diagnostic, reported }: Bounce): void {
    const at = reported.timestampMs
    const detail = `${status} ${diagnostic}`.trim()
    const source = this.#context.applicationId
    this.#context.forward(
      {
        key: suppressionKey(recipient),
        value: { address: recipient, reason: 'HARD_BOUNCE', detail, source, at },
        timestampMs: at,
        headers: traceHeaders(this.#record.headers, () => this.#identity),
      },
      callbackChildren.suppressions,
    )
  }

  #mail(): MailEntry | undefined {
    const entry = this.#store.get(mailKey(this.#identity))
    return entry?.kind === 'mail' ? entry : undefined
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
    const late = superseded || this.#context.streamTimeMs > original.knownUntilMs + this.#keptMs
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
    const { end } = this.#outcome
    this.#addTaker(taker)
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
    this.#context.forward({ ...record, value }, callbackChildren.callbacks)
    if (url !== null)
      this.#context.forward({ ...record, value: webhookOf(value, url) }, callbackChildren.webhooks)
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
