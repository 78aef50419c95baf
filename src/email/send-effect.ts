import type {
  EffectDefinition,
  EffectEnd,
  EffectOutput,
  EffectPlan,
  EffectRecord,
  EndKind,
  TargetState,
} from '../effects/effect.ts'
import type { FindTable } from '../global-table.ts'
import type { OutboxLimit } from '../effects/outbox-room.ts'
import type { TrafficLimits } from '../effects/traffic.ts'
import type { Serde } from '../serde.ts'
import { isDryRunReply } from '../sinks/dry-run-sink.ts'
import type { MailRequest } from '../sinks/mail-request.ts'
import type { Sink } from '../sinks/sink.ts'
import { contentHash } from './content-hash.ts'
import type { DuplicateRequest } from './duplicate-request.ts'
import { failedBeforeSending } from './failed-before-sending.ts'
import { identityOf } from './identity.ts'
import { mailTraffic, priorities } from './mail-traffic.ts'
import { isFirstPlaceSame, placeInHeaders } from './record-headers.ts'
import { traceHeaders } from './trace-headers.ts'
import { recipientsOf } from './recipients.ts'
import { suppressed, type SuppressionList } from './suppression.ts'
import type {
  Callback,
  EmailFailed,
  EmailRequested,
  EmailSent,
  FailureReason,
  RecipientOutcome,
} from './records.ts'

export interface SendOptions {
  readonly sink: Sink<MailRequest>
  /** Whoever is in it when a try begins gets no mail. */
  readonly suppressed: SuppressionList
  readonly requested: Serde<EmailRequested>
  /** For requests that leave it open. */
  readonly inDoubt: 'hold' | 'resend'
  /** Delays before each retry, milliseconds: n delays are n retries. */
  readonly retryDelaysMs: readonly number[]
  /** How long an ended request is remembered, milliseconds. */
  readonly rememberMs: number
  /** @default none */
  readonly limits?: TrafficLimits | undefined
  /** @default 1,000,000 requests or 10 GB */
  readonly outboxLimit?: OutboxLimit | undefined
}

/** The sinks below the send stage. */
export const sendChildren = Object.freeze({ sent: 'sent', failed: 'failed', repeated: 'repeated' })

/** Sending mail as an effect: one accepted request is one mail to all its recipients. */
export function sendEffect(options: SendOptions): EffectDefinition<EmailRequested> {
  const { sink, requested, retryDelaysMs, rememberMs } = options
  return Object.freeze({
    // A request is a mail and more, so what carries mails carries requests.
    sink,
    request: requested,
    plan: (request: EmailRequested, record: EffectRecord) => planOf(request, record, options),
    refusals: (_request: EmailRequested, recipients: readonly string[], table: FindTable) =>
      suppressed(options.suppressed, recipients, table),
    traffic: mailTraffic(options.limits),
    outboxLimit: options.outboxLimit,
    output: outcomeOf,
    samePlace: isFirstPlaceSame,
    repeated: repetitionOf,
    retryDelaysMs,
    rememberMs,
  })
}

function planOf(request: EmailRequested, record: EffectRecord, options: SendOptions): EffectPlan {
  const { inDoubt, priority, notBefore, expiresAt } = request
  return {
    identity: identityOf(request),
    targets: recipientsOf(request),
    // The record's own time is when it was accepted: its topic is LogAppendTime.
    firstSeenMs: placeInHeaders(record.headers ?? [])?.timestampMs ?? record.timestampMs,
    notBeforeMs: notBefore,
    expiresAtMs: expiresAt,
    inDoubt: inDoubt === 'DEFAULT' ? options.inDoubt : inDoubt === 'HOLD' ? 'hold' : 'resend',
    // Who writes HOLD wants a person to look, whatever the relay can do.
    repeatable: inDoubt === 'DEFAULT',
    priority: priorities[priority],
  }
}

const reasons: Readonly<Record<Exclude<EndKind, 'done'>, FailureReason>> = {
  refused: 'REJECTED',
  'retries-exhausted': 'RETRIES_EXHAUSTED',
  expired: 'EXPIRED',
  'in-doubt': 'IN_DOUBT',
  cancelled: 'CANCELLED',
}

/** How an end is called in callbacks, and where people ask. */
export function endWords(kind: EndKind, targets: readonly TargetState[]): string {
  if (kind === 'done') return 'SENT'
  return kind === 'in-doubt' ? 'IN_DOUBT' : `FAILED ${reasonOf(kind, targets)}`
}

function outcomeOf(end: EffectEnd<EmailRequested>): EffectOutput {
  const { kind, identity, key, headers, atMs } = end
  const isSent = kind === 'done'
  return {
    to: isSent ? sendChildren.sent : sendChildren.failed,
    key,
    value: isSent ? sentOf(end) : failedOf(end, reasonOf(kind, end.targets)),
    headers: traceHeaders(headers, () => identity),
    timestampMs: atMs,
  }
}

/** What a dry run kept back was neither refused nor lost, whatever became of the other recipients. */
function reasonOf(kind: Exclude<EndKind, 'done'>, targets: readonly TargetState[]): FailureReason {
  return targets.some(({ reply }) => isDryRunReply(reply)) ? 'DRY_RUN' : reasons[kind]
}

function sentOf(end: EffectEnd<EmailRequested>): EmailSent {
  const { request, targets, messageId, relay, reply, attempts, atMs } = end
  const { requestId, source, callback, requestedAt } = request
  return {
    requestId,
    source,
    messageId: messageId ?? '',
    recipients: outcomesOf(targets),
    relay: relay ?? '',
    reply,
    attempts,
    callback,
    requestedAt,
    sentAt: atMs,
  }
}

function failedOf(end: EffectEnd<EmailRequested>, reason: FailureReason): EmailFailed {
  const { request, targets, messageId, relay, detail, attempts, atMs } = end
  const { requestId, source, callback, requestedAt } = request
  return {
    requestId,
    source,
    reason,
    detail,
    recipients: outcomesOf(targets),
    attempts,
    messageId,
    relay,
    callback,
    requestedAt,
    failedAt: atMs,
  }
}

/** Replies of all recipients together, characters: the outcome is hardly larger than its request, whatever a relay says. */
const repliesMax = 32 * 1024

/** Whoever is still pending when the request ends was given up. */
const statuses = {
  accepted: 'ACCEPTED',
  refused: 'REJECTED',
  pending: 'REJECTED',
  unknown: 'UNKNOWN',
} as const

function outcomesOf(targets: readonly TargetState[]): RecipientOutcome[] {
  const replyMax = Math.floor(repliesMax / Math.max(1, targets.length))
  return targets.map(({ target, status, reply }) => ({
    address: target,
    status: statuses[status],
    reply: reply.slice(0, replyMax),
  }))
}

/** Later than every record. */
const neverMs = 8.64e15

/**
 * The answer to a request that took the identity anew, because the dedup stage had forgotten it, while the first is still on its
 * way: the same as that stage would have given, and for the callback stage that it has no end of its own.
 */
function repetitionOf(
  request: EmailRequested,
  { headers = [], timestampMs }: EffectRecord,
  open: EmailRequested,
): readonly EffectOutput[] {
  const { source, requestId } = request
  const record = {
    key: Buffer.from(requestId),
    headers: traceHeaders(headers, () => identityOf(request)),
    timestampMs,
  }
  const repeat = (callback: Callback | null, words: string | null): readonly EffectOutput[] => {
    const place = placeInHeaders(headers)
    if (place === undefined) return []
    const value: DuplicateRequest = {
      source,
      requestId,
      callback,
      taker: { requestedAtMs: request.requestedAt, words },
      ...place,
      original: { requestedAtMs: open.requestedAt, knownUntilMs: neverMs },
    }
    return [{ ...record, to: sendChildren.repeated, value }]
  }
  if (contentHash(request) === contentHash(open)) return repeat(request.callback, null)
  const detail = 'a request with this id and other content is still on its way'
  const value = failedBeforeSending(request, 'CONFLICT', detail, timestampMs)
  return [{ ...record, to: sendChildren.failed, value }, ...repeat(null, 'FAILED CONFLICT')]
}
