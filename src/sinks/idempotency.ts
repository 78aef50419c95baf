import { createHash } from 'node:crypto'
import { base32 } from './base32.ts'
import type { MailRequest } from './mail-request.ts'

/** How a relay lets a mail be sent again without a second delivery. */
export interface Idempotency {
  /** The header that it knows repetitions by, such as Resend-Idempotency-Key. */
  readonly header: string
  /** How long it remembers, from the first mail with a key on, milliseconds. */
  readonly ttlMs: number
}

/** What a message has of its own, and what a relay would read as something else. */
const takenHeaders =
  /^(from|sender|reply-to|to|cc|bcc|subject|date|message-id|return-path|received|mime-.*|content-.*|dkim-signature|x-mailonce-.*)$/i

export function isIdempotencyHeader(name: string): boolean {
  return /^[\x21-\x39\x3b-\x7e]{1,76}$/.test(name) && !takenHeaders.test(name)
}

/**
 * Names what one final dot delivers: this request to these recipients. A repetition of an attempt in doubt serves the same ones and has
 * the same key; a retry for those who were deferred serves others, and the relay must not take it for the mail that it has already. 52
 * characters: Resend takes up to 256.
 */
export function idempotencyKey(
  { source, requestId }: Pick<MailRequest, 'source' | 'requestId'>,
  firstSeenMs: number,
  targets: readonly string[],
): string {
  const parts = [source, requestId, String(firstSeenMs), ...targets.toSorted()]
  return base32(createHash('sha256').update(parts.join('\0')).digest())
}
