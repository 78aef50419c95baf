import { createHash } from 'node:crypto'
import { base32 } from './base32.ts'
import { asciiDomain, splitAddress } from './mail-address.ts'

/** base32 of SHA-256 (`source`, 0, `requestId`, 0, first-seen milliseconds as decimal text): 52 characters that name one request on every try. */
export function requestDigest(source: string, requestId: string, firstSeenMs: number): string {
  return base32(createHash('sha256').update(`${source}\0${requestId}\0${firstSeenMs}`).digest())
}

/** The Message-ID (RFC 5322 section 3.6.4), angle brackets included: the same on every try, so that whoever receives a mail twice can tell. */
export function messageId(
  source: string,
  requestId: string,
  firstSeenMs: number,
  from: string,
): string {
  const { domain } = splitAddress(from)
  return `<${requestDigest(source, requestId, firstSeenMs)}@${asciiDomain(domain)}>`
}
