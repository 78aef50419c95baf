import type { EmailRequested, RecipientOutcome } from './records.ts'

/**
 * Most recipients of one request. Each stands in the outcome with its reply of at most 512 characters, and that record
 * has to fit into Kafka's default limit of 1 MiB.
 */
export const recipientsMax = 1000

/** The distinct addresses of to, cc and bcc, as written, in that order. */
export function recipientsOf(request: Pick<EmailRequested, 'to' | 'cc' | 'bcc'>): string[] {
  const { to, cc, bcc } = request
  if (to.length === 1 && cc.length === 0 && bcc.length === 0) return [...to]
  return [...new Set([...to, ...cc, ...bcc])]
}

/** What the outcome says of the recipients of a request that was never tried; of one with far too many, the first. */
export function untriedRecipients(request: EmailRequested): RecipientOutcome[] {
  return recipientsOf(request)
    .slice(0, recipientsMax)
    .map(address => ({ address, status: 'REJECTED', reply: '' }))
}
