export interface MailAttachment {
  readonly filename: string
  readonly contentType: string
  readonly content: Buffer
}

/** How whoever gets the mail asks for no more; at least one of `url` and `mailto`. */
export interface MailUnsubscribe {
  readonly url: string | null
  /** An address, which may be followed by `?subject=…` (RFC 6068). */
  readonly mailto: string | null
  /** The URL takes a POST as an order to unsubscribe (RFC 8058). */
  readonly oneClick: boolean
}

/** Everything that makes a mail, and the pair that names the request: its Message-ID follows from them. Addresses are bare (RFC 5321 Mailbox). */
export interface MailRequest {
  readonly source: string
  readonly requestId: string
  /** null: the configured sender. */
  readonly from: string | null
  readonly replyTo: string | null
  readonly to: readonly string[]
  readonly cc: readonly string[]
  /** Stand in the envelope alone, never in the message. */
  readonly bcc: readonly string[]
  readonly subject: string
  readonly text: string | null
  readonly html: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: readonly MailAttachment[]
  /** Makes List-Unsubscribe and List-Unsubscribe-Post. @default null */
  readonly unsubscribe?: MailUnsubscribe | null
}
