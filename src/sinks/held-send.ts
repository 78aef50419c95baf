import type { Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import { DotStuffing } from './dot-stuffing.ts'
import { EnvelopeDialog, type DialogFailure, type RejectedRecipient } from './envelope-dialog.ts'
import type { Outcome } from './sink.ts'
import type { SmtpLink } from './smtp-link.ts'
import { oneLine, parseReply, type SmtpReply } from './smtp-reply.ts'
import { writeBody } from './write-body.ts'

/** What the relay may still do with a connection: be used again as it is, after RSET, or not at all. */
export type Reuse = 'clean' | 'reset' | 'drop'

export interface HeldEnvelope {
  readonly kind: 'held'
  readonly accepted: readonly string[]
  readonly rejected: readonly RejectedRecipient[]
}

/** The send ended before the dot. */
export interface SendFailure {
  readonly kind: 'failure'
  readonly at: DialogFailure['at'] | 'body'
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
  /** The header needs SMTPUTF8 (RFC 6531). */
  readonly smtpUtf8: boolean
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
 * One mail up to its final dot, held there, and the dot. The phase alone decides what an event means: before the dot nothing was sent;
 * after it only a whole 2yz, 4yz or 5yz reply is an answer, and everything else leaves the mail in doubt (RFC 5321 section 4.2.1).
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
  readonly #dialog: EnvelopeDialog
  readonly #stuffing = new DotStuffing()
  /** Forgotten once they are written: an answer may take 10 minutes. */
  #bytes: Buffer | null
  readonly #firstLines: (accepted: readonly string[]) => string
  #phase: Phase = 'envelope'
  #reason = ''
  #answered = false

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
    const { from, to, bytes, eightBit, smtpUtf8, firstLines = () => '', envelopeId } = envelope
    this.#firstLines = firstLines
    const size = bytes.length + firstLines(to).length
    this.#dialog = new EnvelopeDialog(link, { from, to, size, eightBit, smtpUtf8, envelopeId })
  }

  /** Sends envelope and body, and stops before the dot. Never rejects. */
  prepare(): Promise<HeldEnvelope | SendFailure> {
    const link = this.#link
    link.mails += 1
    link.onEnd = reason => this.#onEnd(reason)
    link.onReply = reply => this.#onReply(reply)
    link.onRelayClosing = () => this.#onRelayClosing()
    this.#awaitReply()
    if (link.ended === null) {
      const failure = this.#dialog.begin()
      if (failure) this.#failDialog(failure)
    } else this.#fail('connection', { reason: link.ended }, 'drop')
    return this.#prepared.promise
  }

  /** See `PreparedAttempt.perform`. The check and the write of the dot are one synchronous step. */
  perform(mayPerform: () => boolean): Promise<Outcome> {
    if (this.#phase === 'held') {
      const refusal = this.#link.ended ?? refusalOf(mayPerform)
      if (refusal === null) {
        this.#phase = 'dot'
        this.#link.write(this.#stuffing.end)
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

  #onReply(raw: string): void {
    this.#answered = true
    if (this.#phase === 'envelope') return this.#onEnvelopeReply(raw)
    const reply = parseReply(raw)
    if (this.#phase === 'body') return this.#fail('body', { reply, reason: reply.line }, 'drop')
    if (this.#phase === 'held') return this.#end(`before the final dot: ${reply.line}`, 'drop')
    if (this.#phase !== 'dot') return
    if (reply.kind === 'garbage') return this.#end(reply.line, 'drop')
    const outcome: Outcome =
      reply.kind === 'done' ? { kind: 'done', reply: reply.line } : this.#refusalOfDot(reply)
    this.#settle(outcome, reuseAfter(reply))
  }

  #onEnvelopeReply(raw: string): void {
    this.#awaitReply()
    const step = this.#dialog.take(raw)
    if (step === 'go') this.#sendBody()
    else if (step !== 'wait') this.#failDialog(step)
  }

  #failDialog(failure: DialogFailure): void {
    this.#fail(failure.at, failure, this.#link.ended === null ? failure.reuse : 'drop')
  }

  /** The rest of the body may wait for a relay that has closed and never reads it. */
  #onRelayClosing(): void {
    setImmediate(() => {
      if (this.#phase === 'body') this.#end('the relay closed the connection', 'drop')
    })
  }

  #awaitReply(): void {
    this.#arm(this.#times.replyTimeoutMs, 'no reply in time')
  }

  #sendBody(): void {
    this.#phase = 'body'
    const firstLines = this.#firstLines(this.#dialog.accepted)
    const message = this.#bytes ?? Buffer.alloc(0)
    const bytes = firstLines === '' ? message : Buffer.concat([Buffer.from(firstLines), message])
    this.#bytes = null
    const extraMs = Math.floor(bytes.length / bytesPerExtraSecond) * 1000
    const deadlineMs = this.#clock.monotonicMs() + this.#times.holdTimeoutMs + extraMs
    this.#arm(this.#times.holdTimeoutMs + extraMs, 'the relay took the body too slowly')
    void this.#streamBody(bytes, deadlineMs)
  }

  async #streamBody(bytes: Buffer, deadlineMs: number): Promise<void> {
    const stopped = (): boolean => this.#phase !== 'body'
    const written = await writeBody(bytes, this.#stuffing, this.#link.socket, stopped)
    if (!written || this.#phase !== 'body') return
    this.#phase = 'held'
    const leftMs = Math.max(0, deadlineMs - this.#clock.monotonicMs())
    this.#arm(Math.min(this.#times.holdTimeoutMs, leftMs), 'held for too long')
    const { accepted, rejected } = this.#dialog
    this.#prepared.resolve({ kind: 'held', accepted, rejected })
  }

  #onEnd(why: string): void {
    const { halfReply } = this.#link
    if (halfReply === '') return this.#endWith(why, null)
    this.#answered = true
    // Half a refusal says why the relay closes; half of anything else says nothing.
    const reply = /^[45]\d{2}[ -]/.test(halfReply) ? parseReply(halfReply) : null
    this.#endWith(`${why} in the middle of ${oneLine(halfReply)}`, reply)
  }

  #endWith(reason: string, reply: SmtpReply | null): void {
    if (this.#phase === 'envelope') this.#failConnection({ reply, reason }, 'drop')
    else this.#end(reason, 'drop')
  }

  /** Replies that are still owed take nothing from one that has come. */
  #failConnection(
    cause: { readonly reply?: SmtpReply | null; readonly reason: string },
    reuse: Reuse,
  ): void {
    const { refusal } = this.#dialog
    this.#fail(refusal?.at ?? 'connection', refusal ?? cause, reuse)
  }

  #arm(delayMs: number, reason: string): void {
    this.#link.deadline.set(delayMs, () => this.#end(reason, 'drop'))
  }

  /** An end that carries no reply: its meaning follows from the phase. */
  #end(reason: string, reuse: Reuse): void {
    if (this.#phase === 'dot')
      return this.#settle({ kind: 'unknown', reply: oneLine(reason) }, reuse)
    if (this.#phase === 'held') {
      this.#lost.resolve(reason)
      return this.#close(reason, reuse)
    }
    if (this.#phase === 'body') this.#fail('body', { reason }, reuse)
    else if (this.#phase !== 'ended') this.#failConnection({ reason }, reuse)
  }

  #fail(
    at: SendFailure['at'],
    cause: { readonly reply?: SmtpReply | null; readonly reason: string },
    reuse: Reuse,
  ): void {
    const { reply = null, reason } = cause
    const { rejected } = this.#dialog
    const answered = this.#answered
    this.#prepared.resolve({ kind: 'failure', at, reply, reason, rejected, answered })
    this.#close(reason, reuse)
  }

  #settle(outcome: Outcome, reuse: Reuse): void {
    this.#outcome.resolve(outcome)
    this.#close(outcome.reply, reuse)
  }

  #close(reason: string, reuse: Reuse): void {
    this.#phase = 'ended'
    this.#reason = reason
    this.#link.forget()
    if (reuse === 'drop') this.#link.drop()
    this.#release(reuse)
  }
}

function refusalOf(mayPerform: () => boolean): string | null {
  try {
    return mayPerform() ? null : 'not performed: its time has passed'
  } catch (error) {
    return `not performed: ${oneLine(describeError(error))}`
  }
}

/** A refused message has ended its transaction, but not every relay forgets it. */
function reuseAfter(reply: SmtpReply): Reuse {
  if (reply.closing) return 'drop'
  return reply.kind === 'done' ? 'clean' : 'reset'
}
