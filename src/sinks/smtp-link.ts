import { BlockList, isIPv6, type Socket } from 'node:net'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { describeError, StreamsError } from '../errors.ts'
import { Deadline } from './deadline.ts'
import { ReplyReader } from './reply-reader.ts'
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
  readonly _onSocketData: (chunk: Buffer) => void
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * One open, authenticated SMTP session. Never sends by itself; after its end it says why it ended. nodemailer sets it up: TLS, greeting and
 * login. From `adopt` on what the relay says comes here, because a mail of ours is held before its dot and costs a third of what it does there.
 */
export class SmtpLink {
  readonly connection: SMTPConnection
  /** Mails that reached MAIL on it. */
  mails = 0
  /** Called once, when the session ends without our doing; set by whoever holds the link. */
  onEnd: (reason: string, error?: SessionError) => void = nothing
  /** Called with each whole reply; set by whoever holds the link. */
  onReply: (reply: string) => void
  /** Called when the relay says that it sends nothing more. */
  onRelayClosing: () => void = nothing
  /** Of whatever the session waits for. */
  readonly deadline: Deadline
  readonly #reader = new ReplyReader(reply => this.onReply(reply))
  /** Nobody had asked: what it says next would pass for the answer to something else. */
  readonly #unasked = (reply: string): void => {
    this.#end(reply)
    this.drop()
  }
  #ended: string | null = null

  constructor(options: ResolvedSmtpOptions) {
    this.onReply = this.#unasked
    this.deadline = new Deadline(options.clock)
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
      // Until `adopt`; ours fires first.
      socketTimeout: options.dotTimeoutMs + 60_000,
      socketCloseTimeout: 0,
      ...(clientName === null ? {} : { name: clientName }),
    })
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

  offers(extension: string): boolean {
    const { _supportedExtensions: supported } = this.#internals
    return supported.includes(extension)
  }

  /** The session is set up. */
  adopt(): void {
    const { _onSocketData: theirs } = this.#internals
    this.socket.off('data', theirs)
    this.socket.on('data', (chunk: Buffer) => {
      if (this.#reader.read(chunk) || this.#ended !== null) return
      this.#end('a reply without an end')
      this.drop()
    })
    this.socket.on('end', () => this.onRelayClosing())
    // Whoever holds the link has a deadline for all that it waits for: a timer of the socket would be set again by each read and write.
    this.socket.setTimeout(0)
  }

  /** Whoever held the link lets go of it. */
  forget(): void {
    this.onEnd = nothing
    this.onReply = this.#unasked
    this.onRelayClosing = nothing
    this.deadline.clear()
  }

  /** A reply that the relay has begun and not ended. */
  get halfReply(): string {
    return this.#reader.rest
  }

  write(text: string): void {
    this.socket.write(text)
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
      this.onReply = reply => {
        this.onReply = this.#unasked
        resolve(reply.startsWith('2'))
      }
      this.write('RSET\r\n')
    })
  }

  /** Says goodbye; resolves when the relay has answered or closed, or `drop` was called. */
  quit(): Promise<void> {
    return new Promise(resolve => {
      this.onEnd = () => resolve()
      if (this.ended !== null) {
        this.drop()
        return resolve()
      }
      this.onReply = () => this.drop()
      this.write('QUIT\r\n')
    })
  }

  drop(): void {
    this.connection.close()
    this.deadline.close()
  }

  #end(reason: string, error?: SessionError): void {
    if (this.#ended !== null) return
    this.#ended = oneLine(reason)
    this.onEnd(this.#ended, error)
    this.deadline.close()
  }

  get #internals(): Internals {
    return this.connection as unknown as Internals
  }
}

function nothing(): void {}

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
