import type { RejectedRecipient, SendFailure } from './held-send.ts'
import type { FailedAttempt, TargetReply } from './sink.ts'
import type { SmtpReply } from './smtp-reply.ts'

export interface TargetLists {
  readonly refused: readonly TargetReply[]
  readonly deferred: readonly TargetReply[]
}

/** Targets that one reply settles: all refused, all deferred, or none where the relay only closes the connection. */
function settledBy(reply: SmtpReply | null, targets: readonly string[]): TargetLists {
  const lines = targets.map(target => ({ target, reply: reply?.line ?? '' }))
  const settles = reply !== null && !reply.closing
  return {
    refused: settles && reply.kind === 'refused' ? lines : [],
    deferred: settles && reply.kind === 'deferred' ? lines : [],
  }
}

/** The replies to RCPT, for the targets that stand behind each envelope address. */
export function settledByRecipients(
  rejected: readonly RejectedRecipient[],
  targetsOf: (recipient: string) => readonly string[],
): TargetLists {
  return joinLists(rejected.map(({ recipient, reply }) => settledBy(reply, targetsOf(recipient))))
}

export function joinLists(lists: readonly TargetLists[]): TargetLists {
  return {
    refused: lists.flatMap(list => list.refused),
    deferred: lists.flatMap(list => list.deferred),
  }
}

/**
 * What a send that ended before the dot means. The relay as a whole is out of reach when it says 421, or says nothing at all since MAIL;
 * a connection that breaks later may be about this one message.
 */
export function failedAttempt(
  failure: SendFailure,
  attempt: {
    readonly targets: readonly string[]
    readonly targetsOf: (recipient: string) => readonly string[]
    readonly messageId: string
    readonly relay: string
  },
): FailedAttempt {
  const { targets, targetsOf, messageId, relay } = attempt
  const byRecipient =
    failure.at === 'mail'
      ? { refused: [], deferred: [] }
      : settledByRecipients(failure.rejected, targetsOf)
  const gone = new Set(failure.rejected.flatMap(({ recipient }) => targetsOf(recipient)))
  const rest = failure.at === 'mail' ? targets : targets.filter(target => !gone.has(target))
  const aboutAll = failure.at === 'recipients' || failure.at === 'connection' ? null : failure.reply
  const { refused, deferred } = joinLists([byRecipient, settledBy(aboutAll, rest)])
  const unavailable =
    failure.reply?.closing === true || (failure.at === 'connection' && !failure.answered)
  const reply = failure.reason
  return {
    kind: 'failed',
    reached: failure.answered,
    refused,
    deferred,
    unavailable,
    reply,
    messageId,
    relay,
  }
}
