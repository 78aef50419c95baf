import type { RejectedRecipient } from './envelope-dialog.ts'
import type { EnvelopeTargets } from './envelope-targets.ts'
import type { SendFailure } from './held-send.ts'
import type { ReplyClass, ReplyPhase } from './reply-rule.ts'
import type { ReplyTable } from './reply-table.ts'
import { retryAfterMsOf } from './retry-after.ts'
import type { AsksForLess, FailedAttempt, Outcome, Postponement, TargetReply } from './sink.ts'
import type { SmtpReply } from './smtp-reply.ts'

export interface TargetLists {
  readonly refused: readonly TargetReply[]
  readonly deferred: readonly TargetReply[]
}

/** A recipient that was answered 421, and is the reason for it. */
export interface RejectedAs extends RejectedRecipient {
  readonly isTheReason?: boolean
}

/** The replies to RCPT, read by the table. */
export interface RecipientReplies extends TargetLists {
  /** One of them was about the relay, not about its recipient. */
  readonly aboutRelay: SmtpReply | null
  /** One of them said that the transaction has its fill. Those recipients are in no list: their turn comes at once. */
  readonly tooMany: boolean
}

const noReplies: RecipientReplies = Object.freeze({
  refused: [],
  deferred: [],
  aboutRelay: null,
  tooMany: false,
})

/**
 * The replies to RCPT, for the targets that stand behind each envelope address. `acceptedCount` recipients were accepted beside them: where
 * it is 0 a transaction of one would be too large as well, so "too many" is no more than "not now".
 */
export function settledByRecipients(
  rejected: readonly RejectedAs[],
  recipients: EnvelopeTargets,
  table: ReplyTable,
  acceptedCount: number,
): RecipientReplies {
  if (rejected.length === 0) return noReplies
  const read = rejected.map(({ recipient, reply, isTheReason = false }) => {
    const said = table.classOf('rcpt', reply)
    const isLater = isTheReason || (said === 'too-many-recipients' && acceptedCount === 0)
    const meant = isLater ? 'temporary' : said
    const more = postponementOf(reply, table.asksForLess('rcpt', reply))
    return { targets: recipients.at(recipient), reply, meant, more }
  })
  return {
    ...joinLists(
      read.map(({ targets, reply, meant, more }) => settledBy(meant, reply, targets, more)),
    ),
    aboutRelay: read.find(({ meant }) => meant === 'relay')?.reply ?? null,
    tooMany: read.some(({ meant }) => meant === 'too-many-recipients'),
  }
}

export function joinLists(lists: readonly TargetLists[]): TargetLists {
  return {
    refused: lists.flatMap(list => list.refused),
    deferred: lists.flatMap(list => list.deferred),
  }
}

/** Targets that one reply settles: all refused, all deferred, or none where it is not about them. */
function settledBy(
  meant: ReplyClass | null,
  reply: SmtpReply,
  targets: readonly string[],
  more: Postponement,
): TargetLists {
  const said = (notes: Postponement): TargetReply[] =>
    targets.map(target => ({ target, reply: reply.line, ...notes }))
  switch (meant) {
    case 'permanent':
      return { refused: said({}), deferred: [] }
    case 'temporary':
    case 'throttled':
      return { refused: [], deferred: said(more) }
    case 'relay':
    case 'too-many-recipients':
    case null:
      return { refused: [], deferred: [] }
  }
}

function postponementOf(reply: SmtpReply, asksForLess: AsksForLess | null): Postponement {
  const retryAfterMs = retryAfterMsOf(reply.text)
  return {
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(asksForLess === null ? {} : { asksForLess }),
  }
}

/** What a 4yz or 5yz to the final dot means: the mail was not taken, and the table says whether to try again. */
export function refusalOfDot(reply: SmtpReply, table: ReplyTable): Outcome {
  const meant = table.classOf('dot', reply)
  if (meant === 'permanent') return { kind: 'refused', reply: reply.line }
  return {
    kind: 'deferred',
    reply: reply.line,
    ...postponementOf(reply, table.asksForLess('dot', reply)),
    ...(meant === 'relay' ? { unavailable: true } : {}),
  }
}

const phases: Readonly<Record<SendFailure['at'], ReplyPhase | null>> = {
  mail: 'mail',
  // Each of them has its own reply.
  recipients: null,
  data: 'data',
  body: 'data',
  connection: null,
}

/**
 * What a send that ended before the dot means. The relay as a whole is out of reach when it says so, or says nothing at all since MAIL;
 * a connection that breaks later may be about this one message.
 */
export function failedAttempt(
  failure: Omit<SendFailure, 'rejected'> & { readonly rejected: readonly RejectedAs[] },
  attempt: {
    readonly targets: readonly string[]
    readonly recipients: EnvelopeTargets
    readonly messageId: string
    readonly relay: string
    readonly table: ReplyTable
  },
): FailedAttempt {
  const { targets, recipients, messageId, relay, table } = attempt
  const { at, answered, reason } = failure
  // The relay forgets what it was told before a MAIL that it refuses.
  const rejected = at === 'mail' ? [] : failure.rejected
  const gone = new Set(rejected.flatMap(({ recipient }) => recipients.at(recipient)))
  const rest = targets.filter(target => !gone.has(target))
  const byRecipient = settledByRecipients(rejected, recipients, table, rest.length)
  const phase = phases[at]
  const meant =
    phase === null || failure.reply === null ? null : table.classOf(phase, failure.reply)
  const lists =
    failure.reply === null
      ? byRecipient
      : joinLists([
          byRecipient,
          // How much the relay wants is no matter of the recipients.
          settledBy(
            temporaryForAll(meant),
            failure.reply,
            rest,
            postponementOf(failure.reply, null),
          ),
        ])
  // The session ends with the reply to a recipient that is the reason.
  const ofOne = phase === null && rejected.some(({ isTheReason }) => isTheReason === true)
  const aboutRelay =
    failure.reply !== null && (meant === 'relay' || (failure.reply.closing && !ofOne))
      ? failure.reply
      : byRecipient.aboutRelay
  const ofRelay = aboutRelay ?? (phase === null ? null : failure.reply)
  const asksForLess = ofRelay === null ? null : table.asksForLess(phase ?? 'mail', ofRelay)
  const retryAfterMs = aboutRelay === null ? null : retryAfterMsOf(aboutRelay.text)
  return {
    kind: 'failed',
    reached: answered,
    refused: lists.refused,
    deferred: lists.deferred,
    unavailable: aboutRelay !== null || (at === 'connection' && !answered),
    reply: reason,
    messageId,
    relay,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(asksForLess === null ? {} : { asksForLess }),
  }
}

/** Only RCPT is about one recipient: elsewhere "too many" is no more than "not now". */
function temporaryForAll(meant: ReplyClass | null): ReplyClass | null {
  return meant === 'too-many-recipients' ? 'temporary' : meant
}
