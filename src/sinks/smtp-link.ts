import { BlockList, isIPv6, type Socket } from 'node:net'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { describeError, StreamsError } from '../errors.ts'
import type { ResolvedSmtpOptions } from './smtp-options.ts'
import { oneLine, parseReply } from './smtp-reply.ts'
import { tokenMethod, xoauth2 } from './xoauth2.ts'

/**
 * The parts of nodemailer's connection that its types hide. It is pinned exactly, and `smtp-link.test.ts` holds it to what
 * stands here.
 */
interface Internals {
  readonly _socket: Socket | false | null
  readonly _supportedExtensions: readonly string[]
  readonly _supportedAuth: readonly string[]
  readonly _maxAllowedSize: number
  readonly _envelope: { readonly dsn?: { orcpt?: string | null } }
  readonly _sendRcpt: SendRcpt
}

type SendRcpt = (this: SMTPConnection, recipient: string, callback: unknown) => void

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** One open, authenticated SMTP session. Never sends by itself; after its end it says why it ended. */
export class SmtpLink {
  readonly connection: SMTPConnection
  /** Mails that reached MAIL on it. */
  mails = 0
  /** Called once, when the session ends without our doing; set by whoever holds the link. */
  onEnd: (reason: string, error?: SessionError) => void = () => undefined
  #ended: string | null = null

  constructor(options: ResolvedSmtpOptions) {
    const { endpoint, clientName, tls } = options
    this.connection = new SMTPConnection({
      host: endpoint.host,
      port: endpoint.port,
      secure: endpoint.secure,
      requireTLS: tls.needed,
      ignoreTLS: tls.policy === 'none',
      tls: tls.connection,
      customAuth: { [tokenMethod]: xoauth2 },
      connectionTimeout: options.connectTimeoutMs,
      greetingTimeout: options.greetingTimeoutMs,
      // Ours fires first: a shorter one after the final dot would make doubt of its own.
      socketTimeout: options.dotTimeoutMs + 60_000,
      socketCloseTimeout: 0,
      ...(clientName === null ? {} : { name: clientName }),
    })
    this.#nameOriginalRecipients()
    // Without a listener a 421 greeting kills the process.
    this.connection.on('error', (error: SessionError) => this.#end(describeError(error), error))
    // The callback of a pending send comes after this event, and it knows the reply.
    this.connection.on('end', () => setImmediate(() => this.#end('the connection was closed')))
  }

  get ended(): string | null {
    return this.#ended ?? (this.socket.writable ? null : 'the connection is closing')
  }

  get socket(): Socket {
    const { _socket } = this.#internals
    if (!_socket) throw new StreamsError('INTERNAL', 'the link has no socket yet')
    return _socket
  }

  offers(extension: 'SMTPUTF8' | '8BITMIME' | 'DSN'): boolean {
    const { _supportedExtensions: supported } = this.#internals
    return supported.includes(extension)
  }

  /** nodemailer has one original recipient for all of a mail: each is named with his own (RFC 3461 section 4.2). */
  #nameOriginalRecipients(): void {
    const internals = this.#internals
    const { _sendRcpt: sendRcpt } = internals
    const namesRecipient = (recipient: string, callback: unknown): void => {
      const { _envelope: envelope } = internals
      if (envelope.dsn) envelope.dsn.orcpt = originalRecipient(recipient)
      sendRcpt.call(this.connection, recipient, callback)
    }
    Object.assign(internals, { _sendRcpt: namesRecipient })
  }

  /** The relay's SIZE limit in bytes (RFC 1870), 0 for none. */
  get sizeMax(): number {
    const { _maxAllowedSize: sizeMax } = this.#internals
    return sizeMax
  }

  /** Of the mechanisms that nodemailer knows, those that the relay offers. */
  get authMechanisms(): readonly string[] {
    const { _supportedAuth: mechanisms } = this.#internals
    return mechanisms
  }

  get overTls(): boolean {
    return 'encrypted' in this.socket && this.socket.encrypted === true
  }

  get toLoopback(): boolean {
    const address = this.socket.remoteAddress ?? ''
    return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }

  /** Ends the relay's transaction before the link is used again: without it Postfix keeps the old sender. Resolves to false when the link is lost. */
  reset(): Promise<boolean> {
    return new Promise(resolve => {
      this.onEnd = () => resolve(false)
      this.connection.reset(error => resolve(!error))
    })
  }

  /** Says goodbye; resolves when the relay has closed or `drop` was called. */
  quit(): Promise<void> {
    return new Promise(resolve => {
      this.onEnd = () => resolve()
      if (this.ended !== null) return resolve()
      this.connection.quit()
    })
  }

  drop(): void {
    this.connection.close()
  }

  #end(reason: string, error?: SessionError): void {
    if (this.#ended !== null) return
    this.#ended = oneLine(reason)
    this.onEnd(this.#ended, error)
  }

  get #internals(): Internals {
    return this.connection as unknown as Internals
  }
}

/** What nodemailer's errors carry. */
export interface SessionError extends Error {
  readonly code?: string | undefined
  readonly command?: string | undefined
  readonly response?: string | undefined
}

/** The reply inside an error, if it has one, else the error itself; one line. */
export function describeSessionError(error: SessionError): string {
  return error.response === undefined
    ? oneLine(describeError(error))
    : parseReply(error.response).line
}

/** Null for what needs SMTPUTF8: its type (RFC 6533) has an encoding of its own, and the final recipient stands in every report. */
function originalRecipient(recipient: string): string | null {
  return /^\p{ASCII}+$/u.test(recipient) ? `rfc822;${recipient}` : null
}
