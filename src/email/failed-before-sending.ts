import { untriedRecipients } from './recipients.ts'
import type { EmailFailed, EmailRequested, FailureReason } from './records.ts'

/** Longest detail, characters: it may quote what a producer wrote. */
const detailMax = 1000

/** The end of a request that no relay ever saw. */
export function failedBeforeSending(
  request: EmailRequested,
  reason: FailureReason,
  detail: string,
  failedAt: number,
): EmailFailed {
  const { requestId, source, callback, requestedAt } = request
  return {
    requestId,
    source,
    reason,
    detail: detail.slice(0, detailMax),
    recipients: untriedRecipients(request),
    attempts: 0,
    messageId: null,
    relay: null,
    callback,
    requestedAt,
    failedAt,
  }
}
