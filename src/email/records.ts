// Written by scripts/generate-types.ts from schemas/*.avsc: change those.

export type CallbackOutcome = 'SENT' | 'FAILED' | 'IN_DOUBT' | 'DUPLICATE' | 'BOUNCED' | 'UNKNOWN'

/** Reports the end of a request to the system that asked for it. */
export interface EmailCallback {
  /** Stable over every replay: a receiver drops the repeats by it. */
  readonly eventId: string
  readonly requestId: string
  readonly source: string
  /** Grows per request. */
  readonly sequence: number
  readonly outcome: CallbackOutcome
  /** A duplicate's starts with the original's outcome: SENT, FAILED and its reason, or IN_DOUBT. */
  readonly detail: string
  readonly messageId: string | null
  /** As the request gave it. */
  readonly context: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly occurredAt: number
}

export type FailureReason =
  | 'INVALID'
  | 'UNDECODABLE'
  | 'CONFLICT'
  | 'TOO_OLD'
  | 'EXPIRED'
  | 'REJECTED'
  | 'RETRIES_EXHAUSTED'
  | 'IN_DOUBT'
  | 'CANCELLED'
  | 'DRY_RUN'
  | 'UNKNOWN'

/** REJECTED also when its retries ran out, UNKNOWN when in doubt. */
export type RecipientStatus = 'ACCEPTED' | 'REJECTED' | 'UNKNOWN'

export interface RecipientOutcome {
  /** As the request wrote it. */
  readonly address: string
  readonly status: RecipientStatus
  /** The relay's last word about it. */
  readonly reply: string
}

/** Where and with what the end of the request is reported. */
export interface Callback {
  /** Returned untouched. */
  readonly context: Readonly<Record<string, string>>
  /** A signed webhook as well. */
  readonly url: string | null
}

/** The request ended and nothing was accepted, or, with IN_DOUBT, nobody can know. */
export interface EmailFailed {
  readonly requestId: string
  readonly source: string
  readonly reason: FailureReason
  /** For people; its wording may change. */
  readonly detail: string
  /** One entry for each distinct address of to, cc and bcc. */
  readonly recipients: readonly RecipientOutcome[]
  /** Tries that reached MAIL. */
  readonly attempts: number
  readonly messageId: string | null
  readonly relay: string | null
  readonly callback: Callback | null
  /** Milliseconds since the epoch. */
  readonly requestedAt: number
  /** Milliseconds since the epoch. */
  readonly failedAt: number
}

export interface Attachment {
  readonly filename: string
  /** A media type, for example application/pdf. */
  readonly contentType: string
  readonly content: Buffer
}

/** How whoever gets the mail asks for no more: at least one of url and mailto. */
export interface Unsubscribe {
  /** https, for one click; http is allowed without it. */
  readonly url: string | null
  /** An address, which may be followed by ?subject=… */
  readonly mailto: string | null
  /** The url takes a POST as an order to unsubscribe (RFC 8058). */
  readonly oneClick: boolean
}

export type Priority = 'HIGH' | 'NORMAL' | 'BULK'

export type InDoubt = 'DEFAULT' | 'HOLD' | 'RESEND'

/** Asks for one mail. Source and request id together name the request. */
export interface EmailRequested {
  /** 1 to 128 characters. */
  readonly requestId: string
  /** The business system that asks. */
  readonly source: string
  /** Bare addresses (RFC 5321 Mailbox, SMTPUTF8 allowed), like cc and bcc. */
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly bcc: readonly string[]
  /** The configured sender when null. */
  readonly from: string | null
  readonly replyTo: string | null
  readonly subject: string
  readonly text: string | null
  readonly html: string | null
  /** More headers; one that the message itself owns makes the request INVALID. */
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: readonly Attachment[]
  /** Makes List-Unsubscribe (RFC 2369) and List-Unsubscribe-Post (RFC 8058). */
  readonly unsubscribe: Unsubscribe | null
  readonly priority: Priority
  /** Not tried before. */
  readonly notBefore: number | null
  /** Not tried from this time on. */
  readonly expiresAt: number | null
  /** What to do when nobody can know whether the relay took the mail. */
  readonly inDoubt: InDoubt
  /** Asks for a record in email.callback. */
  readonly callback: Callback | null
  /** Milliseconds since the epoch. */
  readonly requestedAt: number
}

/** All recipients are settled and the relay accepted the mail for at least one of them. */
export interface EmailSent {
  readonly requestId: string
  readonly source: string
  /** The Message-ID of RFC 5322. */
  readonly messageId: string
  /** One entry for each distinct address of to, cc and bcc. */
  readonly recipients: readonly RecipientOutcome[]
  readonly relay: string
  /** The relay's answer to the last accepted final dot. */
  readonly reply: string
  /** Tries that reached MAIL. */
  readonly attempts: number
  readonly callback: Callback | null
  /** Milliseconds since the epoch. */
  readonly requestedAt: number
  /** Milliseconds since the epoch. */
  readonly sentAt: number
}

export type SuppressionReason = 'HARD_BOUNCE' | 'COMPLAINT' | 'UNSUBSCRIBED' | 'MANUAL' | 'UNKNOWN'

/** This address gets no mail. The record's key counts: the address with its domain in ASCII and lower case. A null value lifts it. */
export interface EmailSuppressed {
  /** As it was written where it was suppressed. */
  readonly address: string
  readonly reason: SuppressionReason
  /** For people. */
  readonly detail: string
  /** Who put it there: a person, a system, mailonce itself. */
  readonly source: string
  /** Milliseconds since the epoch. */
  readonly at: number
}
