import { isIPv4, isIPv6 } from 'node:net'

// Beyond ASCII (RFC 6531) everything but controls, lone surrogates and separators, which only serve to deceive. U+FEFF was a
// separator once, and header folding still takes it for white space.
const beyondAscii = String.raw`[^\p{ASCII}\p{Cc}\p{Cs}\p{Z}\uFEFF]`
const atom = String.raw`(?:[A-Za-z0-9!#$%&'*+/=?^_\x60{|}~-]|${beyondAscii})+`
const dotString = new RegExp(`^${atom}(?:\\.${atom})*$`, 'u')
const quotedString = new RegExp(String.raw`^"(?:[ !#-\[\]-~]|\\[ -~]|${beyondAscii})*"$`, 'u')
const letterOrDigit = String.raw`(?:[A-Za-z0-9]|${beyondAscii})`
const label = new RegExp(`^${letterOrDigit}(?:(?:${letterOrDigit}|-)*${letterOrDigit})?$`, 'u')
const asciiAtom = String.raw`[A-Za-z0-9!#$%&'*+/=?^_\x60{|}~-]+`
const asciiLabel = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
/** What nearly every address is, checked in one go; whatever else may be one is looked at part by part. */
const asciiMailbox = new RegExp(
  `^${asciiAtom}(?:\\.${asciiAtom})*@${asciiLabel}(?:\\.${asciiLabel})*$`,
)
const generalLiteral = /^[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+$/

/**
 * RFC 5321 4.5.3.1, octets. The longest address that fits into a path of 256 with its angle brackets has 254, which leaves
 * a domain less than its own 255.
 */
const localOctetsMax = 64
const labelOctetsMax = 63
const mailboxOctetsMax = 254

/**
 * Whether a text is a bare address: a Mailbox of RFC 5321 section 4.1.2 with quoted local parts and address literals,
 * extended by RFC 6531 (SMTPUTF8), inside the limits of section 4.5.3.1. No display name, no comments, no angle brackets.
 */
export function isMailbox(text: string): boolean {
  const isShort = text.length <= mailboxOctetsMax && text.indexOf('@') <= localOctetsMax
  if (isShort && asciiMailbox.test(text)) return true
  // No longer text can fit, and the patterns are spared it.
  if (text.length > mailboxOctetsMax || Buffer.byteLength(text) > mailboxOctetsMax) return false
  const at = text.lastIndexOf('@')
  if (at < 1) return false
  return isLocalPart(text.slice(0, at)) && isDomain(text.slice(at + 1))
}

/**
 * True for what nearly every address is, and `isMailbox` would say so of the text of these bytes; false where that has to be asked. The
 * bytes are looked at one by one, because most addresses are looked at once and then passed on as they are.
 */
export function isPlainMailbox(bytes: Buffer, start: number, end: number): boolean {
  if (end - start > mailboxOctetsMax) return false
  let at = start
  // Each atom, with the dot or the @ behind it.
  for (let atomStart = at; ; at += 1) {
    if (at >= end) return false
    const kind = byteKinds[bytes[at]!]!
    if (kind >= isAtom) continue
    if (at === atomStart) return false
    if (bytes[at] === 0x40) break
    if (bytes[at] !== 0x2e) return false
    atomStart = at + 1
  }
  if (at - start > localOctetsMax) return false
  at += 1
  for (let labelStart = at; ; at += 1) {
    const kind = at < end ? byteKinds[bytes[at]!]! : 0
    if (kind >= isHyphen) continue
    if (at === labelStart || at - labelStart > labelOctetsMax) return false
    if (byteKinds[bytes[labelStart]!] === isHyphen || byteKinds[bytes[at - 1]!] === isHyphen) {
      return false
    }
    if (at === end) return true
    if (bytes[at] !== 0x2e) return false
    labelStart = at + 1
  }
}

const [isAtom, isHyphen, isLetterOrDigit] = [1, 2, 3]
/** What each byte may be part of; all letters and digits, and the hyphen, may be part of an atom. */
const byteKinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  if (/^[A-Za-z0-9]$/.test(character)) return isLetterOrDigit
  if (character === '-') return isHyphen
  return new RegExp(`^${asciiAtom}$`).test(character) ? isAtom : 0
})

function isLocalPart(text: string): boolean {
  if (Buffer.byteLength(text) > localOctetsMax) return false
  return dotString.test(text) || quotedString.test(text)
}

function isDomain(text: string): boolean {
  if (text.startsWith('[') && text.endsWith(']')) return isAddressLiteral(text.slice(1, -1))
  return text
    .split('.')
    .every(each => Buffer.byteLength(each) <= labelOctetsMax && label.test(each))
}

/** RFC 5321 section 4.1.3, without the brackets. */
function isAddressLiteral(text: string): boolean {
  if (/^IPv6:/i.test(text)) return isIPv6(text.slice(5)) && !text.includes('%')
  return isIPv4(text) || generalLiteral.test(text)
}
