import { describeError, StreamsError } from '../errors.ts'
import {
  failedAttempt,
  joinLists,
  refusalOfDot,
  settledByRecipients,
  type TargetLists,
} from './attempt-outcome.ts'
import { ClosingRecipients } from './closing-recipients.ts'
import { composeMail, type MailMaking } from './compose-mail.ts'
import type { ComposedMail } from './composed-mail.ts'
import { EncodingThread } from './encoding-thread.ts'
import { EnvelopeTargets } from './envelope-targets.ts'
import {
  HeldSend,
  type HeldEnvelope,
  type SendContext,
  type SendFailure,
  type SendMessage,
} from './held-send.ts'
import { idempotencyKey } from './idempotency.ts'
import { envelopeAddress } from './mail-address.ts'
import type { MailRequest } from './mail-request.ts'
import { messageId } from './message-id.ts'
import { RecipientLimit } from './recipient-limit.ts'
import { refusedByCapabilities } from './relay-capabilities.ts'
import { ReplyTable } from './reply-table.ts'
import type { FailedAttempt, PreparedAttempt, Sink, SinkAttempt } from './sink.ts'
import {
  resolveSmtpOptions,
  type ResolvedSmtpOptions,
  type SmtpSinkOptions,
} from './smtp-options.ts'
import { SmtpPool, type LentLink } from './smtp-pool.ts'
import { oneLine, parseReply } from './smtp-reply.ts'

/** A mail, and what it is called in reports about it. */
interface NamedMail {
  readonly kind: 'mail'
  readonly composed: ComposedMail
  readonly envelopeId: string | null
}

type Made = NamedMail | FailedAttempt

/** A mail on its way to the final dot. */
interface MailTry {
  readonly kind: 'try'
  readonly send: HeldSend
  readonly mail: ComposedMail
  readonly recipients: EnvelopeTargets
  /** Envelope addresses of this transaction. */
  readonly to: readonly string[]
  /** Targets that the relay cannot serve. */
  readonly incapable: TargetLists['refused']
}

/** Mails over SMTP, up to the final dot in `prepare` and with it in `perform`. */
export class SmtpSink implements Sink<MailRequest> {
  readonly concurrencyMax: number
  readonly #options: ResolvedSmtpOptions
  readonly #pool: SmtpPool
  readonly #table: ReplyTable
  readonly #limit: RecipientLimit
  readonly #closing = new ClosingRecipients()
  readonly #encoding = new EncodingThread()
  readonly #making: MailMaking
  readonly #context: SendContext
  readonly #sends = new Set<HeldSend>()

  /** Throws CONFIGURATION_INVALID. Connects to nothing yet. */
  constructor(options: SmtpSinkOptions) {
    this.#options = resolveSmtpOptions(options)
    const { clock, dkim, recipientsMax, replyRules } = this.#options
    this.#pool = new SmtpPool(this.#options)
    this.#table = new ReplyTable(replyRules)
    this.#limit = new RecipientLimit(recipientsMax, clock)
    this.#making = { dkim, encode: this.#encoding.encode }
    this.#context = {
      clock,
      times: this.#options,
      refusalOfDot: reply => refusalOfDot(reply, this.#table),
      release: (send, reuse) => {
        this.#sends.delete(send)
        this.#pool.release(send.link, reuse)
      },
    }
    this.concurrencyMax = this.#options.connectionsMax
  }

  prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    return this.#prepare(attempt, this.#compose(attempt), signal)
  }

  async close(): Promise<void> {
    for (const send of this.#sends) send.destroy('the sink was closed')
    await Promise.all([this.#pool.close(), this.#encoding.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** At once where there is nothing to wait for, as with most mails. */
  #compose(attempt: SinkAttempt<MailRequest>): Made | Promise<Made> {
    const { from, envelopeIdOf } = this.#options
    const named = (composed: ComposedMail): NamedMail => ({
      kind: 'mail',
      composed,
      envelopeId: envelopeIdOf(attempt.request),
    })
    try {
      const request = this.#own(attempt.request)
      const composed = composeMail(request, attempt.firstSeenMs, from, this.#making)
      return composed instanceof Promise
        ? composed.then(named).catch((error: unknown) => this.#notComposed(attempt, error))
        : named(composed)
    } catch (error) {
      return this.#notComposed(attempt, error)
    }
  }

  #notComposed(attempt: SinkAttempt<MailRequest>, error: unknown): FailedAttempt {
    const undecodable = error instanceof StreamsError && error.code === 'RECORD_UNDECODABLE'
    if (!undecodable)
      return this.#failed(this.#messageId(attempt), oneLine(describeError(error)), none, false)
    // Validation lets no such request through, and no later try could make it a mail.
    const reply = oneLine(`554 5.6.0 ${describeError(error)}`)
    const refused = attempt.targets.map(target => ({ target, reply }))
    return this.#failed(this.#messageId(attempt), reply, { refused, deferred: [] }, false)
  }

  async #prepare(
    attempt: SinkAttempt<MailRequest>,
    making: Made | Promise<Made>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const mail = making instanceof Promise ? await making : making
    if (mail.kind === 'failed') return mail
    for (let isFresh = false; ; isFresh = true) {
      const lent =
        this.#acquireIdle(signal, isFresh) ??
        (await this.#acquire(mail.composed.messageId, signal, isFresh))
      if ('kind' in lent) return lent
      const begun = this.#begin(attempt, mail, lent, signal)
      if (begun.kind === 'failed') return begun
      const stop = (): void => begun.send.abandon('stopped before the final dot')
      signal.addEventListener('abort', stop)
      const result = await begun.send.prepare()
      signal.removeEventListener('abort', stop)
      if (result.kind === 'held') return this.#prepared(begun, result)
      if (signal.aborted || this.#pool.closed) return this.#stopped(begun.mail.messageId)
      // The relay had forgotten an idle connection: nothing was said on it, so this try has not begun.
      if (!isStale(result, lent)) return this.#failedTry(begun, result)
      if (isFresh) return this.#failed(begun.mail.messageId, 'no connection', none, true)
    }
  }

  #acquireIdle(signal: AbortSignal, isFresh: boolean): LentLink | null {
    return isFresh ? null : this.#pool.acquireIdle(signal)
  }

  async #acquire(
    id: string,
    signal: AbortSignal,
    isFresh: boolean,
  ): Promise<LentLink | FailedAttempt> {
    const { endpoint, log } = this.#options
    try {
      return (await this.#pool.acquire(signal, isFresh)) ?? this.#stopped(id)
    } catch (error) {
      const reason = describeError(error)
      log.warn({ event: 'smtp-unavailable', relay: endpoint.name, reason })
      const asksForLess = this.#table.asksForLess('mail', parseReply(reason))
      const failed = this.#failed(id, reason, none, true)
      return asksForLess === null ? failed : { ...failed, asksForLess }
    }
  }

  /** Says nothing to the relay yet. */
  #begin(
    attempt: SinkAttempt<MailRequest>,
    { composed: mail, envelopeId }: NamedMail,
    { link }: LentLink,
    signal: AbortSignal,
  ): MailTry | FailedAttempt {
    const { targets } = attempt
    const incapable = refusedByCapabilities(link, mail, targets)
    const able = without(targets, incapable)
    if (signal.aborted || able.length === 0) {
      this.#pool.release(link, 'clean')
      if (signal.aborted) return this.#stopped(mail.messageId)
      const lists = { refused: incapable, deferred: [] }
      return this.#failed(mail.messageId, incapable[0]?.reply ?? 'no targets', lists, false)
    }
    const recipients = new EnvelopeTargets(able)
    // Whoever has no room in this transaction is in no list, and so comes in the next.
    const { addresses } = recipients
    const most = this.#limit.current
    const to = addresses.length > most ? addresses.slice(0, most) : addresses
    const { bytes, eightBit, smtpUtf8 } = mail
    const firstLines = this.#firstLines(attempt, recipients)
    const size = bytes.length + (firstLines?.(to).length ?? 0)
    const from = envelopeAddress(mail.from)
    const envelope = { from, to, size, eightBit, smtpUtf8, envelopeId }
    const send = new HeldSend(link, envelope, { bytes, firstLines }, this.#context)
    this.#sends.add(send)
    return { kind: 'try', send, mail, recipients, to, incapable }
  }

  /** A key that the request brings along would stand beside ours, and the relay might know the mail by that one. */
  #own(request: MailRequest): MailRequest {
    const { idempotency } = this.#options
    if (idempotency === null) return request
    const name = idempotency.header.toLowerCase()
    const headers = Object.entries(request.headers).filter(([each]) => each.toLowerCase() !== name)
    return { ...request, headers: Object.fromEntries(headers) }
  }

  #firstLines(
    { request, firstSeenMs }: SinkAttempt<MailRequest>,
    recipients: EnvelopeTargets,
  ): SendMessage['firstLines'] {
    const { idempotency } = this.#options
    if (idempotency === null) return null
    return accepted => {
      const key = idempotencyKey(request, firstSeenMs, recipients.atAll(accepted))
      return `${idempotency.header}: ${key}\r\n`
    }
  }

  #prepared(
    { send, mail, recipients, incapable }: MailTry,
    { accepted, rejected }: HeldEnvelope,
  ): PreparedAttempt {
    const { endpoint, idempotency } = this.#options
    this.#closing.taken(accepted)
    const replies = settledByRecipients(rejected, recipients, this.#table, accepted.length)
    if (replies.tooMany) this.#learn(accepted.length)
    const { refused, deferred } =
      incapable.length === 0 ? replies : joinLists([{ refused: incapable, deferred: [] }, replies])
    const prepared: PreparedAttempt = {
      kind: 'prepared',
      accepted: recipients.atAll(accepted),
      refused,
      deferred,
      messageId: mail.messageId,
      contentHash: mail.contentHash,
      relay: endpoint.name,
      perform: mayPerform => send.perform(mayPerform),
      abandon: () => send.abandon('abandoned before the final dot'),
      lost: send.lost,
    }
    return idempotency === null ? prepared : { ...prepared, repeatableForMs: idempotency.ttlMs }
  }

  #failedTry({ mail, recipients, to, incapable }: MailTry, result: SendFailure): FailedAttempt {
    const rejected = result.rejected.map(each => {
      const isTheReason = this.#closing.isTheReason(each.recipient, each.reply, to.length === 1)
      return { recipient: each.recipient, reply: each.reply, isTheReason }
    })
    const failed = failedAttempt(
      { ...result, rejected },
      {
        targets: recipients.atAll(to),
        recipients,
        messageId: mail.messageId,
        relay: this.#options.endpoint.name,
        table: this.#table,
      },
    )
    return { ...failed, refused: [...incapable, ...failed.refused] }
  }

  #learn(recipients: number): void {
    const { endpoint, log } = this.#options
    this.#limit.learn(recipients)
    log.info({ event: 'recipient-limit', relay: endpoint.name, recipients })
  }

  #stopped(id: string): FailedAttempt {
    const reply = this.#pool.closed ? 'the sink is closed' : 'stopped before the final dot'
    return this.#failed(id, reply, none, false)
  }

  /** A try that never reached MAIL. */
  #failed(id: string, reply: string, lists: TargetLists, unavailable: boolean): FailedAttempt {
    const relay = this.#options.endpoint.name
    return { kind: 'failed', reached: false, ...lists, unavailable, reply, messageId: id, relay }
  }

  #messageId({ request, firstSeenMs }: SinkAttempt<MailRequest>): string {
    const { source, requestId, from } = request
    return messageId(source, requestId, firstSeenMs, from ?? this.#options.from)
  }
}

const none: TargetLists = Object.freeze({ refused: [], deferred: [] })

function without(targets: readonly string[], refused: TargetLists['refused']): readonly string[] {
  if (refused.length === 0) return targets
  return targets.filter(target => !refused.some(each => each.target === target))
}

/** The relay had forgotten the connection while it was idle. */
function isStale(result: SendFailure, { reused }: LentLink): boolean {
  const forgotten = !result.answered || (result.at === 'mail' && result.reply?.closing === true)
  return reused && forgotten
}
