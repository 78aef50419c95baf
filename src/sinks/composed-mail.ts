import type { MailRequest } from './mail-request.ts'

/** The finished message, the same bytes for the same request and first-seen time: on every try, in every process. */
export interface ComposedMail {
  readonly messageId: string
  /** Sender as written, without display name. */
  readonly from: string
  /** Header and body with CRLF line ends, before dot-stuffing. */
  readonly bytes: Buffer
  /** SHA-256 of the bytes, hex. */
  readonly contentHash: string
  /** Bytes beyond ASCII: the relay must offer 8BITMIME (RFC 6152). */
  readonly eightBit: boolean
  /** An address in the header needs SMTPUTF8 (RFC 6531), whoever receives it. */
  readonly smtpUtf8: boolean
}

/** What an encoder needs beyond the request; all of it follows from the request and its first-seen time. */
export interface MailIdentity {
  readonly from: string
  readonly messageId: string
  /** Base of the MIME boundaries. */
  readonly boundary: string
  readonly date: Date
}

/** Turns a checked request into the bytes of its message; a pure function. */
export type MailEncoder = (request: MailRequest, identity: MailIdentity) => Buffer | Promise<Buffer>
