import { describeError, StreamsError } from '../errors.ts'
import {
  failedAttempt,
  joinLists,
  refusalOfDot,
  settledByRecipients,
  type TargetLists,
} from './attempt-outcome.ts'
import { ClosingRecipients } from './closing-recipients.ts'
import { composeMail } from './compose-mail.ts'
import type { ComposedMail } from './composed-mail.ts'
import { EncodingThread } from './encoding-thread.ts'
import { HeldSend, type HeldEnvelope, type SendEnvelope, type SendFailure } from './held-send.ts'
import { idempotencyKey } from './idempotency.ts'
import { envelopeAddress } from './mail-address.ts'
import type { MailRequest } from './mail-request.ts'
import { messageId } from './message-id.ts'
import { RecipientLimit } from './recipient-limit.ts'
import { refusedByCapabilities } from './relay-capabilities.ts'
import { ReplyTable } from './reply-table.ts'
import type { FailedAttempt, PreparedAttempt, Sink, SinkAttempt } from './sink.ts'
import type { SmtpLink } from './smtp-link.ts'
import {
  resolveSmtpOptions,
  type ResolvedSmtpOptions,
  type SmtpSinkOptions,
} from './smtp-options.ts'
import { SmtpPool } from './smtp-pool.ts'
import { oneLine, parseReply } from './smtp-reply.ts'

/** Mails over SMTP, up to the final dot in `prepare` and with it in `perform`. */
export class SmtpSink implements Sink<MailRequest> {
  readonly concurrencyMax: number
  readonly #options: ResolvedSmtpOptions
  readonly #pool: SmtpPool
  readonly #table: ReplyTable
  readonly #limit: RecipientLimit
  readonly #closing = new ClosingRecipients()
  readonly #encoding = new EncodingThread()
  readonly #sends = new Set<HeldSend>()

  /** Throws CONFIGURATION_INVALID. Connects to nothing yet. */
  constructor(options: SmtpSinkOptions) {
    this.#options = resolveSmtpOptions(options)
    this.#pool = new SmtpPool(this.#options)
    this.#table = new ReplyTable(this.#options.replyRules)
    this.#limit = new RecipientLimit(this.#options.recipientsMax, this.#options.clock)
    this.concurrencyMax = this.#options.connectionsMax
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    let mail: NamedMail
    try {
      const { from, dkim, envelopeIdOf } = this.#options
      const { encode } = this.#encoding
      const request = this.#own(attempt.request)
      const composed = await composeMail(request, attempt.firstSeenMs, from, { dkim, encode })
      mail = { ...composed, envelopeId: envelopeIdOf(attempt.request) }
    } catch (error) {
      const undecodable = error instanceof StreamsError && error.code === 'RECORD_UNDECODABLE'
      if (!undecodable) {
        return this.#failed(this.#messageId(attempt), oneLine(describeError(error)), none, false)
      }
      // Validation lets no such request through, and no later try could make it a mail.
      const reply = oneLine(`554 5.6.0 ${describeError(error)}`)
      const refused = attempt.targets.map(target => ({ target, reply }))
      return this.#failed(this.#messageId(attempt), reply, { refused, deferred: [] }, false)
    }
    const first = await this.#try(attempt, mail, signal, false)
    // The relay had forgotten an idle connection: nothing was said on it, so this try has not begun.
    return first === 'stale' ? this.#tryFresh(attempt, mail, signal) : first
  }

  async close(): Promise<void> {
    for (const send of this.#sends) send.destroy('the sink was closed')
    await Promise.all([this.#pool.close(), this.#encoding.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #tryFresh(
    attempt: SinkAttempt<MailRequest>,
    mail: NamedMail,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const second = await this.#try(attempt, mail, signal, true)
    return second === 'stale' ? this.#failed(mail.messageId, 'no connection', none, true) : second
  }

  async #try(
    attempt: SinkAttempt<MailRequest>,
    mail: NamedMail,
    signal: AbortSignal,
    fresh: boolean,
  ): Promise<PreparedAttempt | FailedAttempt | 'stale'> {
    const { endpoint, log } = this.#options
    const { targets } = attempt
    const { messageId: id, bytes, eightBit, smtpUtf8, envelopeId } = mail
    const lent = await this.#pool
      .acquire(signal, fresh)
      .catch((error: unknown) => describeError(error))
    if (lent === null) return this.#stopped(id)
    if (typeof lent === 'string') {
      log.warn({ event: 'smtp-unavailable', relay: endpoint.name, reason: lent })
      const asksForLess = this.#table.asksForLess('mail', parseReply(lent))
      const failed = this.#failed(id, lent, none, true)
      return asksForLess === null ? failed : { ...failed, asksForLess }
    }

    const { link, reused } = lent
    const incapable = refusedByCapabilities(link, mail, targets)
    const able = targets.filter(target => !incapable.some(refusal => refusal.target === target))
    if (signal.aborted || able.length === 0) {
      this.#pool.release(link, 'clean')
      if (signal.aborted) return this.#stopped(id)
      const lists = { refused: incapable, deferred: [] }
      return this.#failed(id, incapable[0]?.reply ?? 'no targets', lists, false)
    }

    const recipients = Map.groupBy(able, envelopeAddress)
    const targetsOf = (recipient: string): readonly string[] => recipients.get(recipient) ?? []
    // Whoever has no room in this transaction is in no list, and so comes in the next.
    const to = [...recipients.keys()].slice(0, this.#limit.current)
    const firstLines = this.#firstLines(attempt, targetsOf)
    const from = envelopeAddress(mail.from)
    const envelope = { from, to, bytes, eightBit, smtpUtf8, firstLines, envelopeId }
    const send = this.#start(link, envelope)
    const result = await untilHeld(send, signal)
    if (result.kind === 'held') return this.#prepared(send, result, mail, incapable, targetsOf)
    if (signal.aborted || this.#pool.closed) return this.#stopped(id)
    const forgotten = !result.answered || (result.at === 'mail' && result.reply?.closing === true)
    if (reused && forgotten) return 'stale'
    const { name: relay } = endpoint
    const asked = to.flatMap(targetsOf)
    const about = { targets: asked, targetsOf, messageId: id, relay, table: this.#table }
    const rejected = result.rejected.map(each => {
      const isTheReason = this.#closing.isTheReason(each.recipient, each.reply, to.length === 1)
      return { recipient: each.recipient, reply: each.reply, isTheReason }
    })
    const failed = failedAttempt({ ...result, rejected }, about)
    return { ...failed, refused: [...incapable, ...failed.refused] }
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
    targetsOf: (recipient: string) => readonly string[],
  ): (accepted: readonly string[]) => string {
    const { idempotency } = this.#options
    if (idempotency === null) return () => ''
    return accepted => {
      const key = idempotencyKey(request, firstSeenMs, accepted.flatMap(targetsOf))
      return `${idempotency.header}: ${key}\r\n`
    }
  }

  #start(link: SmtpLink, envelope: SendEnvelope): HeldSend {
    const send: HeldSend = new HeldSend(link, envelope, {
      clock: this.#options.clock,
      times: this.#options,
      refusalOfDot: reply => refusalOfDot(reply, this.#table),
      release: reuse => {
        this.#sends.delete(send)
        this.#pool.release(link, reuse)
      },
    })
    this.#sends.add(send)
    return send
  }

  #prepared(
    send: HeldSend,
    held: HeldEnvelope,
    mail: ComposedMail,
    incapable: TargetLists['refused'],
    targetsOf: (recipient: string) => readonly string[],
  ): PreparedAttempt {
    const { idempotency } = this.#options
    const { accepted, rejected } = held
    this.#closing.taken(accepted)
    const replies = settledByRecipients(rejected, targetsOf, this.#table, accepted.length)
    if (replies.tooMany) this.#learn(accepted.length)
    return {
      kind: 'prepared',
      accepted: accepted.flatMap(targetsOf),
      ...joinLists([{ refused: incapable, deferred: [] }, replies]),
      messageId: mail.messageId,
      contentHash: mail.contentHash,
      relay: this.#options.endpoint.name,
      ...(idempotency === null ? {} : { repeatableForMs: idempotency.ttlMs }),
      perform: mayPerform => send.perform(mayPerform),
      abandon: () => send.abandon('abandoned before the final dot'),
      lost: send.lost,
    }
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

/** A mail, and what it is called in reports about it. */
type NamedMail = ComposedMail & { readonly envelopeId: string | null }

const none: TargetLists = Object.freeze({ refused: [], deferred: [] })

async function untilHeld(send: HeldSend, signal: AbortSignal): Promise<HeldEnvelope | SendFailure> {
  const stop = (): void => send.abandon('stopped before the final dot')
  signal.addEventListener('abort', stop, { once: true })
  const result = await send.prepare()
  signal.removeEventListener('abort', stop)
  return result
}
