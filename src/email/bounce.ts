import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { FirstPlace } from './record-headers.ts'

/** One recipient to whom a mail could not be delivered, on its way from the stage that reads reports to the one that makes callbacks. */
export interface Bounce {
  readonly source: string
  readonly requestId: string
  readonly recipient: string
  /** RFC 3463, such as 5.1.1. */
  readonly status: string
  /** What the host that refused it said; '' where it said nothing. */
  readonly diagnostic: string
  /** Where the report stood in `email.bounces`. */
  readonly reported: FirstPlace
  /** Whether the report had an envelope id of ours; without one it is told, and believed no further. */
  readonly signed: boolean
}

/**
 * Whether no mail will ever be delivered to the address (RFC 3463): no such mailbox (5.1.1), no such host (5.1.2), no such
 * syntax (5.1.3), moved away (5.1.6), a host that takes no mail (5.1.10), a mailbox that is closed (5.2.1). A full mailbox
 * (5.2.2) is emptied some day, and a policy (5.7.x) is about the sender or the mail.
 */
export function isHard({ status }: Pick<Bounce, 'status'>): boolean {
  return hardStatuses.has(status)
}

const hardStatuses: ReadonlySet<string> = new Set([
  '5.1.1',
  '5.1.2',
  '5.1.3',
  '5.1.6',
  '5.1.10',
  '5.2.1',
])

/** JSON: fields can be added, and whoever is older leaves them alone. */
export const bounceSerde: Serde<Bounce> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (bounce: Bounce) => Buffer.from(JSON.stringify(bounce)),
  deserialize: (bytes: Buffer): Bounce => {
    try {
      return JSON.parse(bytes.toString('utf8')) as Bounce
    } catch (cause) {
      throw new StreamsError('RECORD_UNDECODABLE', 'not a bounce', { cause })
    }
  },
})
