import type { KnownEnd } from './outcome-store.ts'
import type { CallbackOutcome, EmailFailed, EmailSent } from './records.ts'

/** What an outcome record says to those who asked. */
export interface EndReport {
  /** Whether the request has ended by it, or only the one record that it answers. */
  readonly concerns: 'request' | 'record'
  readonly outcome: CallbackOutcome
  readonly detail: string
  readonly end: KnownEnd
}

export function reportOf(value: EmailSent | EmailFailed): EndReport {
  return 'sentAt' in value ? sentReport(value) : failedReport(value)
}

function sentReport({ reply, messageId, requestedAt, sentAt }: EmailSent): EndReport {
  const end = { words: 'SENT', messageId, requestedAtMs: requestedAt, atMs: sentAt }
  return { concerns: 'request', outcome: 'SENT', detail: reply, end }
}

function failedReport(failed: EmailFailed): EndReport {
  const { reason, detail, messageId, requestedAt, failedAt } = failed
  const inDoubt = reason === 'IN_DOUBT'
  const words = inDoubt ? 'IN_DOUBT' : `FAILED ${reason}`
  const own = reason === 'CONFLICT' || reason === 'TOO_OLD'
  return {
    concerns: own ? 'record' : 'request',
    outcome: inDoubt ? 'IN_DOUBT' : 'FAILED',
    detail: inDoubt ? detail : `${reason}: ${detail}`,
    end: { words, messageId, requestedAtMs: requestedAt, atMs: failedAt },
  }
}
