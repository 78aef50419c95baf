import { hash } from 'node:crypto'
import type { Bounce } from './bounce.ts'
import type { Callback, EmailFailed, EmailSent } from './records.ts'
import { suppressionKey } from './suppression.ts'

/** What has to be known of a mail when some of it comes back. */
export interface MailEntry {
  readonly kind: 'mail'
  /** null while the request has not ended: its bounces wait. */
  readonly messageId: string | null
  readonly callback: Callback | null
  /** Short hashes of everybody it went to: a report about anybody else is not about this mail. */
  readonly recipients: readonly string[]
  /** Those who have been reported, so that a report that comes twice says nothing new; with an exclamation mark: by a signed one. */
  readonly bounced: readonly string[]
  /** Came back before the end was known. */
  readonly waiting: readonly Bounce[]
  /** Record time of the last change, milliseconds. */
  readonly touchedMs: number
}

export const mailKey = (identity: string): string => `m|${identity}`

/** As many as a request has recipients. */
const waitingMax = 1000

const nothingSent: MailEntry = Object.freeze({
  kind: 'mail',
  messageId: null,
  callback: null,
  recipients: [],
  bounced: [],
  waiting: [],
  touchedMs: 0,
})

/** The entry of a mail that has ended; undefined for a request of which no relay has ever heard. */
export function endedMail(
  before: MailEntry | undefined,
  { messageId, callback, recipients }: EmailSent | EmailFailed,
  touchedMs: number,
): MailEntry | undefined {
  if (messageId === null) return undefined
  // The id may have been used before, for another mail, whose bounces are not this one's.
  const bounced = before?.messageId === messageId ? before.bounced : []
  return {
    kind: 'mail',
    messageId,
    callback,
    recipients: recipients.map(({ address }) => shortHash(address)),
    bounced,
    waiting: before?.waiting ?? [],
    touchedMs,
  }
}

/**
 * What a bounce says of a mail: nothing yet, something new, what was known, the same with a signature, or nothing, because it
 * is about somebody else.
 */
export type BounceNews = 'waits' | 'new' | 'known' | 'signed' | 'foreign'

export function withBounce(
  before: MailEntry | undefined,
  bounce: Bounce,
  touchedMs: number,
): { readonly entry: MailEntry; readonly news: BounceNews } {
  const entry = { ...(before ?? nothingSent), touchedMs }
  const recipient = shortHash(bounce.recipient)
  if (entry.messageId === null) {
    const isKnown = entry.waiting.some(
      each => each.signed === bounce.signed && shortHash(each.recipient) === recipient,
    )
    const hasRoom = !isKnown && entry.waiting.length < waitingMax
    const waiting = hasRoom ? [...entry.waiting, bounce] : entry.waiting
    return { entry: { ...entry, waiting }, news: 'waits' }
  }
  if (!entry.recipients.includes(recipient)) return { entry, news: 'foreign' }
  const isReported = entry.bounced.includes(recipient)
  const isSigned = entry.bounced.includes(signed(recipient))
  if (isSigned || (isReported && !bounce.signed)) return { entry, news: 'known' }
  const mark = bounce.signed ? signed(recipient) : recipient
  const news = isReported ? 'signed' : 'new'
  return { entry: { ...entry, bounced: [...entry.bounced, mark] }, news }
}

function signed(recipient: string): string {
  return `${recipient}!`
}

/** 64 bits: nobody else of a thousand recipients has the same. */
function shortHash(address: string): string {
  return hash('sha256', suppressionKey(address), 'base64url').slice(0, 11)
}
