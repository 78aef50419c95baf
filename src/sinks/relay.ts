import type { MailRequest } from './mail-request.ts'
import type { Sink } from './sink.ts'

/** One of the relays that mails may go to. */
export interface Relay {
  /** For people: its key in the configuration. */
  readonly name: string
  /** `host:port`, as the results of its sink and the records name it. */
  readonly address: string
  /** Other addresses that the same relay had: mails in doubt that went there may go to it. */
  readonly formerly: ReadonlySet<string>
  readonly sink: Sink<MailRequest>
  /** Its share of the mails among those that may take them; 0: takes them only when no other can. */
  readonly weight: number
  /** Mails a second of all instances together, more than 0; Infinity: no limit. */
  readonly perSecond: number
  /** Lower case. A relay with domains or tags takes their mails, and no others. */
  readonly senderDomains: ReadonlySet<string>
  readonly tags: ReadonlySet<string>
}
