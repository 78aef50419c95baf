import type { ComposedMail } from './composed-mail.ts'
import { needsSmtpUtf8 } from './mail-address.ts'
import type { TargetReply } from './sink.ts'
import type { SmtpLink } from './smtp-link.ts'

/**
 * Targets that this relay cannot serve, in the words it would use itself: a message beyond its SIZE (RFC 1870), an address without
 * an ASCII form where it does not offer SMTPUTF8 (RFC 6531), bytes beyond ASCII without 8BITMIME (RFC 6152).
 */
export function refusedByCapabilities(
  link: Pick<SmtpLink, 'offers' | 'sizeMax'>,
  mail: ComposedMail,
  targets: readonly string[],
): readonly TargetReply[] {
  const refuse = (reply: string): readonly TargetReply[] =>
    targets.map(target => ({ target, reply }))
  const size = mail.bytes.length
  if (link.sizeMax > 0 && size > link.sizeMax) {
    return refuse(`552 5.3.4 the message has ${size} bytes, the relay takes ${link.sizeMax}`)
  }
  if (!link.offers('SMTPUTF8')) {
    const reply = '553 5.6.7 the relay does not offer SMTPUTF8, and an address needs it'
    if (mail.smtpUtf8) return refuse(reply)
    const unable = targets.filter(needsSmtpUtf8).map(target => ({ target, reply }))
    if (unable.length > 0) return unable
  }
  if (mail.eightBit && !link.offers('8BITMIME')) {
    return refuse('554 5.6.3 the relay does not offer 8BITMIME, and the message needs it')
  }
  return []
}
