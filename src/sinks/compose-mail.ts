import { isAscii } from 'node:buffer'
import { StreamsError } from '../errors.ts'
import { checkMail } from './check-mail.ts'
import type { ComposedMail, MailEncoder } from './composed-mail.ts'
import type { DkimKeys } from './dkim-keys.ts'
import { dkimSign } from './dkim-sign.ts'
import { sha256Hex } from './sha256-hex.ts'
import { needsSmtpUtf8 } from './mail-address.ts'
import type { MailRequest } from './mail-request.ts'
import { messageIdOf, requestDigest } from './message-id.ts'
import { mimeTreeEncoder } from './mime-tree-encoder.ts'

/** How a request becomes bytes, beside what it says itself. */
export interface MailMaking {
  readonly encode?: MailEncoder
  /** Nobody signs without. */
  readonly dkim?: DkimKeys
}

/**
 * Composes the message: a pure function of its arguments, so that every try of a request, by any owner, is byte-equal.
 * Rejects with RECORD_UNDECODABLE for a request that could inject a header.
 */
export async function composeMail(
  request: MailRequest,
  firstSeenMs: number,
  fromDefault: string,
  { encode = mimeTreeEncoder, dkim }: MailMaking = {},
): Promise<ComposedMail> {
  const from = request.from ?? fromDefault
  const wrong = checkMail(request, from)
  if (wrong !== null) throw new StreamsError('RECORD_UNDECODABLE', wrong)

  const { source, requestId } = request
  const digest = requestDigest(source, requestId, firstSeenMs)
  const identity = {
    from,
    messageId: messageIdOf(digest, from),
    boundary: digest.slice(0, 26),
    date: new Date(firstSeenMs),
  }
  const encoded = await encode(request, identity)
  const bytes = await dkimSign(encoded, dkim?.signersOf(from, firstSeenMs) ?? [])
  const visible = [from, ...request.to, ...request.cc]
  if (request.replyTo !== null) visible.push(request.replyTo)
  return {
    messageId: identity.messageId,
    from,
    bytes,
    contentHash: await sha256Hex(bytes),
    eightBit: !isAscii(bytes),
    smtpUtf8: visible.some(needsSmtpUtf8),
  }
}
