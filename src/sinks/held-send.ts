import type { Readable, Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Cancel, Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import type { Outcome } from './sink.ts'
import { describeSessionError, type SessionError, type SmtpLink } from './smtp-link.ts'
import { oneLine, parseReply, type SmtpReply } from './smtp-reply.ts'
import { writeBody } from './write-body.ts'

/** What the relay may still do with a connection: be used again as it is, after RSET, or not at all. */
export type Reuse = 'clean' | 'reset' | 'drop'

export interface HeldEnvelope {
  readonly kind: 'held'
  readonly accepted: readonly string[]
  readonly rejected: readonly RejectedRecipient[]
}

export interface RejectedRecipient {
  readonly recipient: string
  readonly reply: SmtpReply
}

/** The send ended before the dot. */
export interface SendFailure {
  readonly kind: 'failure'
  readonly at: 'mail' | 'recipients' | 'data' | 'body' | 'connection'
  /** The relay's word, null where it said none. */
  readonly reply: SmtpReply | null
  readonly reason: string
  readonly rejected: readonly RejectedRecipient[]
  /** Whether the relay said anything since MAIL: a connection that it had forgotten does not. */
  readonly answered: boolean
}

export interface SendTimes {
  readonly replyTimeoutMs: number
  readonly holdTimeoutMs: number
  readonly dotTimeoutMs: number
}

export interface SendEnvelope {
  readonly from: string
  readonly to: readonly string[]
  readonly bytes: Buffer
  readonly eightBit: boolean
  /** Header lines of this relay alone, before all others: they depend on whom it has accepted. ASCII. */
  readonly firstLines?: (accepted: readonly string[]) => string
  /** Names the mail in reports about it, for a relay that offers DSN (RFC 3461). */
  readonly envelopeId: string | null
}

/** envelope → body → held → dot → ended; every phase may go straight to ended. */
type Phase = 'envelope' | 'body' | 'held' | 'dot' | 'ended'

/** Extra time for large bodies: what a slow line needs for them is no stall. */
const bytesPerExtraSecond = 512 * 1024

/**
 * One mail up to its final dot, held there, and the dot. nodemailer's errors look the same at RCPT, while held and after the dot, so
 * the phase is kept here, and it alone decides what an event means: before the dot nothing was sent; after it only a whole
 * 2yz, 4yz or 5yz reply is an answer, and everything else leaves the mail in doubt (RFC 5321 section 4.2.1).
 */
export class HeldSend {
  readonly lost: Promise<string>
  readonly #link: SmtpLink
  readonly #clock: Clock
  readonly #times: SendTimes
  readonly #release: (reuse: Reuse) => void
  readonly #refusalOfDot: (reply: SmtpReply) => Outcome
  readonly #prepared = Promise.withResolvers<HeldEnvelope | SendFailure>()
  readonly #lost = Promise.withResolvers<string>()
  readonly #outcome = Promise.withResolvers<Outcome>()
  readonly #sending: {
    from: string
    to: string[]
    size: number
    use8BitMime: boolean
    dsn?: { envid: string; ret: 'HDRS'; notify: 'FAILURE' }
  } & {
    accepted?: string[]
    rejectedErrors?: (SessionError & { readonly recipient?: string })[]
  }
  /** Forgotten once they are written: an answer may take 10 minutes. */
  #bytes: Buffer | null
  readonly #firstLines: (accepted: readonly string[]) => string
  #phase: Phase = 'envelope'
  #reason = ''
  #answered = false
  #cancelTimer: Cancel = () => undefined
  #data: Writable | undefined

  /**
   * `release` is called once, when the link is free again. `refusalOfDot` says what a whole 4yz or 5yz to the dot means: the mail was not
   * taken, so `deferred` or `refused`.
   */
  constructor(
    link: SmtpLink,
    envelope: SendEnvelope,
    context: {
      clock: Clock
      times: SendTimes
      release: (reuse: Reuse) => void
      refusalOfDot: (reply: SmtpReply) => Outcome
    },
  ) {
    this.#link = link
    this.#bytes = envelope.bytes
    this.#clock = context.clock
    this.#times = context.times
    this.#release = context.release
    this.#refusalOfDot = context.refusalOfDot
    this.lost = this.#lost.promise
    const { from, to, bytes, eightBit, firstLines = () => '', envelopeId } = envelope
    this.#firstLines = firstLines
    this.#sending = {
      from,
      to: [...to],
      size: bytes.length + firstLines(to).length,
      use8BitMime: eightBit,
      // The headers are enough to recognise the mail; who sent it has its text.
      ...(envelopeId && { dsn: { envid: envelopeId, ret: 'HDRS', notify: 'FAILURE' } }),
    }
  }

  /** Sends envelope and body, and stops before the dot. Never rejects. */
  prepare(): Promise<HeldEnvelope | SendFailure> {
    const { connection, socket } = this.#link
    this.#link.mails += 1
    this.#link.onEnd = (reason, error) => this.#onEnd(reason, error)
    // Before nodemailer's own listener: what it makes of the reply depends on there being one.
    socket.prependListener('data', this.#onReply)
    socket.on('end', this.#onRelayClosing)
    this.#awaitReply()
    // A whole stream would be more than nodemailer asks for: it listens, pipes and destroys.
    const body = {
      on: () => undefined,
      removeListener: () => undefined,
      destroy: () => undefined,
      pipe: (data: Writable) => this.#onData(data),
    } as unknown as Readable
    connection.send(this.#sending, body, (error, info) => this.#onSent(error, info?.response))
    return this.#prepared.promise
  }

  /** See `PreparedAttempt.perform`. The check and the write of the dot are one synchronous step. */
  perform(mayPerform: () => boolean): Promise<Outcome> {
    if (this.#phase === 'held') {
      const refusal = this.#link.ended ?? refusalOf(mayPerform)
      if (refusal === null) {
        this.#phase = 'dot'
        this.#data?.end()
        this.#arm(this.#times.dotTimeoutMs, 'no reply to the final dot')
      } else {
        this.#close(refusal, 'drop')
      }
    }
    if (this.#phase === 'ended') this.#outcome.resolve({ kind: 'abandoned', reply: this.#reason })
    return this.#outcome.promise
  }

  /** Drops the connection, because RSET would become text of the message. Does nothing after the dot. */
  abandon(reason: string): void {
    if (this.#phase === 'held') return this.#close(reason, 'drop')
    if (this.#phase !== 'dot') this.#end(reason, 'drop')
  }

  /** Drops the connection in any phase: after the dot the mail is in doubt. */
  destroy(reason: string): void {
    this.#end(reason, 'drop')
  }

  readonly #onReply = (): void => {
    this.#answered = true
    if (this.#phase === 'envelope') this.#awaitReply()
  }

  /** nodemailer waits until the rest of the body is written, which a relay that has closed may never read. */
  readonly #onRelayClosing = (): void => {
    setImmediate(() => {
      if (this.#phase === 'body') this.#end('the relay closed the connection', 'drop')
    })
  }

  #awaitReply(): void {
    this.#arm(this.#times.replyTimeoutMs, 'no reply in time')
  }

  /** nodemailer calls this in the same step in which it reads the reply to DATA. */
  #onData(data: Writable): void {
    if (this.#phase !== 'envelope') return
    const { lastServerResponse } = this.#link.connection
    const reply = lastServerResponse || ''
    if (!/^354(?=[ -]|$)/.test(reply)) {
      // nodemailer takes a 250 for a go-ahead. It means that replies are one behind, and so would be the one to the dot.
      return this.#fail('data', { reason: `DATA was answered by ${oneLine(reply)}` }, 'drop')
    }
    this.#phase = 'body'
    this.#data = data
    const firstLines = this.#firstLines(this.#sending.accepted ?? [])
    const message = this.#bytes ?? Buffer.alloc(0)
    const bytes = firstLines === '' ? message : Buffer.concat([Buffer.from(firstLines), message])
    this.#bytes = null
    const extraMs = Math.floor(bytes.length / bytesPerExtraSecond) * 1000
    const deadlineMs = this.#clock.monotonicMs() + this.#times.holdTimeoutMs + extraMs
    this.#arm(this.#times.holdTimeoutMs + extraMs, 'the relay took the body too slowly')
    void this.#streamBody(bytes, data, deadlineMs)
  }

  async #streamBody(bytes: Buffer, data: Writable, deadlineMs: number): Promise<void> {
    const written = await writeBody(bytes, data, this.#link.socket, () => this.#phase !== 'body')
    // A reply that came together with the one to DATA is still in nodemailer's queue: it must not pass for the one to the dot.
    await nextTurn()
    if (!written || this.#phase !== 'body') return
    this.#phase = 'held'
    const leftMs = Math.max(0, deadlineMs - this.#clock.monotonicMs())
    this.#arm(Math.min(this.#times.holdTimeoutMs, leftMs), 'held for too long')
    const { accepted = [] } = this.#sending
    this.#prepared.resolve({ kind: 'held', accepted: [...accepted], rejected: this.#rejected() })
  }

  /** The callback of nodemailer's send: the reply to the envelope or to the message, or a broken connection. */
  #onSent(error: SessionError | null, response: string | undefined): void {
    const raw = error === null ? response : error.response
    const reply = raw === undefined ? null : parseReply(raw)
    const reason = error === null ? (reply?.line ?? '') : describeSessionError(error)
    if (this.#phase === 'envelope') {
      const usable = reply !== null && !reply.closing && this.#link.ended === null
      return this.#fail(stepOf(error), { reply, reason }, usable ? 'reset' : 'drop')
    }
    if (this.#phase === 'body') return this.#fail('body', { reply, reason }, 'drop')
    if (this.#phase === 'held') return this.#end(`before the final dot: ${reason}`, 'drop')
    if (this.#phase !== 'dot') return
    // EMESSAGE is the reply to the dot; other errors may carry the beginning of one that never ended.
    const whole = error === null || error.code === 'EMESSAGE'
    if (!whole || reply === null || reply.kind === 'garbage') return this.#end(reason, 'drop')
    const outcome: Outcome =
      reply.kind === 'done' ? { kind: 'done', reply: reply.line } : this.#refusalOfDot(reply)
    this.#settle(outcome, reuseAfter(reply))
  }

  #onEnd(reason: string, error?: SessionError): void {
    if (this.#phase === 'envelope') {
      const reply = error?.response === undefined ? null : parseReply(error.response)
      return this.#fail('connection', { reply, reason }, 'drop')
    }
    this.#end(reason, 'drop')
  }

  #arm(delayMs: number, reason: string): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.schedule(delayMs, () => this.#end(reason, 'drop'))
  }

  /** An end that carries no reply: its meaning follows from the phase. */
  #end(reason: string, reuse: Reuse): void {
    if (this.#phase === 'dot')
      return this.#settle({ kind: 'unknown', reply: oneLine(reason) }, reuse)
    if (this.#phase === 'held') {
      this.#lost.resolve(reason)
      return this.#close(reason, reuse)
    }
    if (this.#phase !== 'ended')
      this.#fail(this.#phase === 'body' ? 'body' : 'connection', { reason }, reuse)
  }

  #fail(
    at: SendFailure['at'],
    cause: { readonly reply?: SmtpReply | null; readonly reason: string },
    reuse: Reuse,
  ): void {
    const { reply = null, reason } = cause
    const rejected = this.#rejected()
    const answered = this.#answered
    this.#prepared.resolve({ kind: 'failure', at, reply, reason, rejected, answered })
    this.#close(reason, reuse)
  }

  #settle(outcome: Outcome, reuse: Reuse): void {
    this.#outcome.resolve(outcome)
    this.#close(outcome.reply, reuse)
  }

  /** Settled first, closed after: closing drops nodemailer's callback and says `end` in the same step. */
  #close(reason: string, reuse: Reuse): void {
    this.#phase = 'ended'
    this.#reason = reason
    this.#cancelTimer()
    this.#link.socket.off('data', this.#onReply).off('end', this.#onRelayClosing)
    this.#link.onEnd = () => undefined
    if (reuse === 'drop') this.#link.drop()
    this.#release(reuse)
  }

  #rejected(): readonly RejectedRecipient[] {
    const { rejectedErrors = [] } = this.#sending
    return rejectedErrors.map(({ recipient = '', response = '' }) => ({
      recipient,
      reply: parseReply(response),
    }))
  }
}

function refusalOf(mayPerform: () => boolean): string | null {
  try {
    return mayPerform() ? null : 'not performed: its time has passed'
  } catch (error) {
    return `not performed: ${oneLine(describeError(error))}`
  }
}

const steps: Readonly<Record<string, SendFailure['at']>> = {
  'MAIL FROM': 'mail',
  'RCPT TO': 'recipients',
  DATA: 'data',
}

function stepOf(error: SessionError | null): SendFailure['at'] {
  return steps[error?.command ?? ''] ?? 'connection'
}

/** A refused message has ended its transaction, but not every relay forgets it. */
function reuseAfter(reply: SmtpReply): Reuse {
  if (reply.closing) return 'drop'
  return reply.kind === 'done' ? 'clean' : 'reset'
}
