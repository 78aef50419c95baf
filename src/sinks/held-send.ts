import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import { DotStuffing } from './dot-stuffing.ts'
import {
  EnvelopeDialog,
  type DialogEnvelope,
  type DialogFailure,
  type RejectedRecipient,
} from './envelope-dialog.ts'
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

export interface SendMessage {
  readonly bytes: Buffer
  /** Header lines of this relay alone, before all others: they depend on whom it has accepted. ASCII. Null where there are none. */
  readonly firstLines: ((accepted: readonly string[]) => string) | null
}

/** What all sends of a sink have in common. */
export interface SendContext {
  readonly clock: Clock
  readonly times: SendTimes
  /** Called once with each send, when its link is free again. */
  readonly release: (send: HeldSend, reuse: Reuse) => void
  /** What a whole 4yz or 5yz to the dot means: the mail was not taken, so `deferred` or `refused`. */
  readonly refusalOfDot: (reply: SmtpReply) => Outcome
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
  readonly link: SmtpLink
  readonly #context: SendContext
  readonly #prepared = Promise.withResolvers<HeldEnvelope | SendFailure>()
  readonly #lost = Promise.withResolvers<string>()
  readonly #outcome = Promise.withResolvers<Outcome>()
  readonly #dialog: EnvelopeDialog
  readonly #stuffing = new DotStuffing()
  /** Forgotten once it is written: an answer may take 10 minutes. */
  #message: SendMessage | null
  #phase: Phase = 'envelope'
  #reason = ''
  #answered = false
  /** What the present deadline means. */
  #dueReason = ''
  readonly #onDue = (): void => this.#end(this.#dueReason, 'drop')

  /** The envelope says the size of the whole message, its first lines included. */
  constructor(
    link: SmtpLink,
    envelope: DialogEnvelope,
    message: SendMessage,
    context: SendContext,
  ) {
    this.link = link
    this.#message = message
    this.#context = context
    this.#dialog = new EnvelopeDialog(link, envelope)
  }

  /** See `PreparedAttempt.lost`. */
  get lost(): Promise<string> {
    return this.#lost.promise
  }

  /** Sends envelope and body, and stops before the dot. Never rejects. */
  prepare(): Promise<HeldEnvelope | SendFailure> {
    const { link } = this
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
      const refusal = this.link.ended ?? refusalOf(mayPerform)
      if (refusal === null) {
        this.#phase = 'dot'
        this.link.write(this.#stuffing.end)
        this.#arm(this.#context.times.dotTimeoutMs, 'no reply to the final dot')
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
      reply.kind === 'done'
        ? { kind: 'done', reply: reply.line }
        : this.#context.refusalOfDot(reply)
    this.#settle(outcome, reuseAfter(reply))
  }

  #onEnvelopeReply(raw: string): void {
    this.#awaitReply()
    const step = this.#dialog.take(raw)
    if (step === 'go') this.#sendBody()
    else if (step !== 'wait') this.#failDialog(step)
  }

  #failDialog(failure: DialogFailure): void {
    this.#fail(failure.at, failure, this.link.ended === null ? failure.reuse : 'drop')
  }

  /** The rest of the body may wait for a relay that has closed and never reads it. */
  #onRelayClosing(): void {
    setImmediate(() => {
      if (this.#phase === 'body') this.#end('the relay closed the connection', 'drop')
    })
  }

  #awaitReply(): void {
    this.#arm(this.#context.times.replyTimeoutMs, 'no reply in time')
  }

  #sendBody(): void {
    const message = this.#message
    assert(message !== null, 'a body follows one envelope')
    this.#message = null
    this.#phase = 'body'
    const bytes = bytesOf(message, this.#dialog.accepted)
    const { clock, times } = this.#context
    const extraMs = Math.floor(bytes.length / bytesPerExtraSecond) * 1000
    const deadlineMs = clock.monotonicMs() + times.holdTimeoutMs + extraMs
    this.#arm(times.holdTimeoutMs + extraMs, 'the relay took the body too slowly')
    void this.#streamBody(bytes, deadlineMs)
  }

  async #streamBody(bytes: Buffer, deadlineMs: number): Promise<void> {
    const stopped = (): boolean => this.#phase !== 'body'
    // Awaited in any case: a reply that came together with the go-ahead is one to the body.
    const written = await writeBody(bytes, this.#stuffing, this.link.socket, stopped)
    if (!written || this.#phase !== 'body') return
    this.#phase = 'held'
    const { clock, times } = this.#context
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs())
    this.#arm(Math.min(times.holdTimeoutMs, leftMs), 'held for too long')
    const { accepted, rejected } = this.#dialog
    this.#prepared.resolve({ kind: 'held', accepted, rejected })
  }

  #onEnd(why: string): void {
    const { halfReply } = this.link
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
    this.#dueReason = reason
    this.link.deadline.set(delayMs, this.#onDue)
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
    this.link.forget()
    if (reuse === 'drop') this.link.drop()
    this.#context.release(this, reuse)
  }
}

function bytesOf({ bytes, firstLines }: SendMessage, accepted: readonly string[]): Buffer {
  return firstLines === null ? bytes : Buffer.concat([Buffer.from(firstLines(accepted)), bytes])
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
