import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { callbackify } from 'node:util'

import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server'

import { sleep, systemClock, type Clock } from '../clock.ts'
import { inboxBehaviour, type InboxBehaviour } from './inbox-rules.ts'

/** A message that the inbox has taken responsibility for. */
export interface InboxMail {
  /** The envelope's sender; empty for the null sender (RFC 5321 section 4.5.5). */
  readonly sender: string
  /** The envelope's recipients, blind copies included. */
  readonly recipients: readonly string[]
  readonly receivedAtMs: number
  /** The message as it came, without dot-stuffing. */
  readonly raw: Buffer
  readonly parsed: Email
}

export interface SmtpInboxOptions {
  /** 0 lets the system choose. @default 0 */
  readonly port?: number
  /** The oldest mail is forgotten when there are more. @default 10000 */
  readonly mailsMax?: number
  /** How late `slow@…` answers the final dot, in milliseconds. @default 2000 */
  readonly slowMs?: number
  /** Offers STARTTLS with smtp-server's own, publicly known, certificate. @default false */
  readonly startTls?: boolean
  /** Called for every mail before the inbox answers for it. */
  readonly onMail?: (mail: InboxMail) => void
}

/** A mail server that keeps what it gets in memory and behaves as its recipients say: see `inboxBehaviour`. */
export class SmtpInbox implements AsyncDisposable {
  /** All mails ever taken, also those that are forgotten by now. */
  mailsTotal = 0
  readonly #server: SMTPServer
  readonly #mails: InboxMail[] = []
  readonly #deferred = new Set<string>()
  readonly #clock: Clock
  readonly #options: Required<Pick<SmtpInboxOptions, 'mailsMax' | 'slowMs'>> & SmtpInboxOptions

  private constructor(options: SmtpInboxOptions, clock: Clock) {
    this.#clock = clock
    this.#options = { mailsMax: 10_000, slowMs: 2_000, ...options }
    this.#server = new SMTPServer({
      authOptional: true,
      hideSTARTTLS: options.startTls !== true,
      disableReverseLookup: true,
      logger: false,
      closeTimeout: 100,
      onRcptTo: (recipient, _session, done) => done(this.#recipientError(recipient.address)),
      onData: callbackify(this.#receive.bind(this)),
    })
    // A client that goes away in the middle is part of what is tested here.
    this.#server.on('error', () => undefined)
  }

  static async start(
    options: SmtpInboxOptions = {},
    clock: Clock = systemClock,
  ): Promise<SmtpInbox> {
    const inbox = new SmtpInbox(options, clock)
    const listener = inbox.#server.listen(options.port ?? 0, '127.0.0.1')
    await once(listener, 'listening')
    return inbox
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`
  }

  /** The mails that are kept, oldest first. */
  mails(): readonly InboxMail[] {
    return [...this.#mails]
  }

  clear(): void {
    this.#mails.length = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.server.listening) return
    await new Promise<void>(resolve => this.#server.close(resolve))
  }

  #recipientError(address: string): Error | null {
    const behaviour = inboxBehaviour(address, this.#deferred.has(address))
    this.#deferred.add(address)
    return behaviour.kind === 'reply' && behaviour.at === 'recipient' ? replyError(behaviour) : null
  }

  async #receive(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    const raw = await buffer(stream)
    const recipients = session.envelope.rcptTo.map(recipient => recipient.address)
    const behaviours = recipients.map(address => inboxBehaviour(address, true))
    const refusal = behaviours.find(each => each.kind === 'reply')
    if (refusal) throw replyError(refusal)
    await this.#keep(raw, session.envelope.mailFrom, recipients)
    if (behaviours.some(each => each.kind === 'slow'))
      await sleep(this.#clock, this.#options.slowMs)
    if (behaviours.some(each => each.kind === 'drop')) {
      for (const connection of this.#server.connections) {
        if (connection.id === session.id) connection.close()
      }
    }
  }

  async #keep(
    raw: Buffer,
    sender: SMTPServerSession['envelope']['mailFrom'],
    recipients: readonly string[],
  ): Promise<void> {
    const mail: InboxMail = Object.freeze({
      sender: sender === false ? '' : sender.address,
      recipients,
      receivedAtMs: this.#clock.nowMs(),
      raw,
      parsed: await PostalMime.parse(raw),
    })
    this.#mails.push(mail)
    this.mailsTotal += 1
    if (this.#mails.length > this.#options.mailsMax) this.#mails.shift()
    this.#options.onMail?.(mail)
  }
}

function replyError(reply: InboxBehaviour & { readonly kind: 'reply' }): Error {
  return Object.assign(new Error(reply.text), { responseCode: reply.code })
}
