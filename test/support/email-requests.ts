import type { EmailRequested } from '../../src/email/records.ts'

/** Noon of a day in 2026: the time of requests in tests, unless they say otherwise. */
export const noonMs = Date.UTC(2026, 5, 1, 12)

/** A valid request; what a test is about is given. */
export function emailRequested(fields: Partial<EmailRequested> = {}): EmailRequested {
  return {
    requestId: 'r-1',
    source: 'billing',
    to: ['ada@example.org'],
    cc: [],
    bcc: [],
    from: null,
    replyTo: null,
    subject: 'Your invoice',
    text: 'Thank you.',
    html: null,
    headers: {},
    attachments: [],
    unsubscribe: null,
    priority: 'NORMAL',
    notBefore: null,
    expiresAt: null,
    inDoubt: 'DEFAULT',
    callback: null,
    requestedAt: noonMs,
    ...fields,
  }
}
