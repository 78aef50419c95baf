import { domainToASCII } from 'node:url'

const beyondAscii = /[^\p{ASCII}]/u

/** Local part and domain of a bare address; the domain is what follows the last `@`. */
export function splitAddress(address: string): { readonly local: string; readonly domain: string } {
  const at = address.lastIndexOf('@')
  return { local: address.slice(0, at), domain: address.slice(at + 1) }
}

/** The domain in ASCII letters (A-labels, RFC 5890); as written where it has no such form. */
export function asciiDomain(domain: string): string {
  return beyondAscii.test(domain) ? domainToASCII(domain) || domain : domain
}

/** A local part beyond ASCII has no other spelling, so its relay must offer SMTPUTF8 (RFC 6531). */
export function needsSmtpUtf8(address: string): boolean {
  if (!beyondAscii.test(address)) return false
  const { local, domain } = splitAddress(address)
  return beyondAscii.test(local) || beyondAscii.test(asciiDomain(domain))
}

/** The address as it stands in MAIL and RCPT: an international domain is written in ASCII unless the whole address needs SMTPUTF8. */
export function envelopeAddress(address: string): string {
  if (!beyondAscii.test(address)) return address
  const { local, domain } = splitAddress(address)
  return beyondAscii.test(local) ? address : `${local}@${asciiDomain(domain)}`
}
