export interface MailAttachment {
  readonly filename: string
  readonly contentType: string
  readonly content: Buffer
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
}
