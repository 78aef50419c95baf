import { hash } from 'node:crypto'
import { base32 } from './base32.ts'
import { asciiDomain, splitAddress } from './mail-address.ts'

/** base32 of SHA-256 (`source`, 0, `requestId`, 0, first-seen milliseconds as decimal text): 52 characters that name one request on every try. */
export function requestDigest(source: string, requestId: string, firstSeenMs: number): string {
  return base32(hash('sha256', `${source}\0${requestId}\0${firstSeenMs}`, 'buffer'))
}

/** The Message-ID (RFC 5322 section 3.6.4), angle brackets included: the same on every try, so that whoever receives a mail twice can tell. */
export function messageId(
  source: string,
  requestId: string,
  firstSeenMs: number,
  from: string,
): string {
  return messageIdOf(requestDigest(source, requestId, firstSeenMs), from)
}

/** Of the request with this digest. */
export function messageIdOf(digest: string, from: string): string {
  return `<${digest}@${asciiDomain(splitAddress(from).domain)}>`
}
