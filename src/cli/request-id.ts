import type { RequestName } from '../email/identity.ts'
import { StreamsError } from '../errors.ts'

/**
 * Reads `SOURCE/REQUESTID`. The first slash separates, so a slash within the source is written as `%2F`, and a percent sign as `%25`; the
 * request id is taken as it is. Throws CONFIGURATION_INVALID.
 */
export function parseRequestId(text: string): RequestName {
  const at = text.indexOf('/')
  const source = decoded(text.slice(0, Math.max(0, at)))
  const requestId = text.slice(at + 1)
  if (source === undefined || source === '' || requestId === '') {
    throw new StreamsError(
      'CONFIGURATION_INVALID',
      `${JSON.stringify(text)} is not SOURCE/REQUESTID such as shop/order-17 (a slash within the source is %2F)`,
    )
  }
  return { source, requestId }
}

/** What `parseRequestId` reads. */
export function requestIdText({ source, requestId }: RequestName): string {
  return `${source.replaceAll('%', '%25').replaceAll('/', '%2F')}/${requestId}`
}

/** Where an instance answers about the request. */
export function requestPath({ source, requestId }: RequestName): string {
  return `/requests/${encodeURIComponent(source)}/${encodeURIComponent(requestId)}`
}

/** Undefined for a percent sign that begins nothing. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
