import { isAscii } from 'node:buffer'
import { StreamsError } from '../errors.ts'
import { checkMail } from './check-mail.ts'
import type { ComposedMail, MailEncoder, MailIdentity } from './composed-mail.ts'
import type { DkimKey } from './dkim-key.ts'
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
 * Composes the message: a pure function of its arguments, so that every try of a request, by any owner, is byte-equal. At once where nothing
 * has to be waited for: a mail of common size that nobody signs. Throws or rejects with RECORD_UNDECODABLE for a request that could inject a
 * header.
 */
export function composeMail(
  request: MailRequest,
  firstSeenMs: number,
  fromDefault: string,
  { encode = mimeTreeEncoder, dkim }: MailMaking = {},
): ComposedMail | Promise<ComposedMail> {
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
  const signers = dkim?.signersOf(from, firstSeenMs) ?? nobody
  const encoded = encode(request, identity)
  return encoded instanceof Promise || signers.length > 0
    ? signed(request, identity, encoded, signers)
    : hashed(request, identity, encoded)
}

const nobody: readonly DkimKey[] = Object.freeze([])

async function signed(
  request: MailRequest,
  identity: MailIdentity,
  encoded: Buffer | Promise<Buffer>,
  signers: readonly DkimKey[],
): Promise<ComposedMail> {
  return hashed(request, identity, await dkimSign(await encoded, signers))
}

function hashed(
  request: MailRequest,
  identity: MailIdentity,
  bytes: Buffer,
): ComposedMail | Promise<ComposedMail> {
  const contentHash = sha256Hex(bytes)
  return contentHash instanceof Promise
    ? contentHash.then(each => composed(request, identity, bytes, each))
    : composed(request, identity, bytes, contentHash)
}

function composed(
  { to, cc, replyTo }: MailRequest,
  { messageId, from }: MailIdentity,
  bytes: Buffer,
  contentHash: string,
): ComposedMail {
  const smtpUtf8 =
    needsSmtpUtf8(from) ||
    to.some(needsSmtpUtf8) ||
    cc.some(needsSmtpUtf8) ||
    (replyTo !== null && needsSmtpUtf8(replyTo))
  return { messageId, from, bytes, contentHash, eightBit: !isAscii(bytes), smtpUtf8 }
}
