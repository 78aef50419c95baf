import type { Logger } from '../log.ts'
import type { MailRequest } from './mail-request.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
  TargetReply,
} from './sink.ts'

/** Names, in the mail, who would have got it. */
const header = 'X-Mailonce-Original-Recipients'

/**
 * Every mail goes to one address. What becomes of it there counts for all whom it was meant for, and each reply says that it was
 * redirected.
 */
export class RedirectSink implements Sink<MailRequest> {
  readonly concurrencyMax: number
  readonly #inner: Sink<MailRequest>
  readonly #address: string
  readonly #log: Logger

  constructor(inner: Sink<MailRequest>, address: string, log: Logger) {
    this.#inner = inner
    this.#address = address
    this.#log = log
    this.concurrencyMax = inner.concurrencyMax
  }

  setShare(share: number): void {
    this.#inner.setShare?.(share)
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { request, targets } = attempt
    const headers = { ...request.headers, [header]: targets.join(', ') }
    const redirected = { ...attempt, targets: [this.#address], request: { ...request, headers } }
    const result = await this.#inner.prepare(redirected, signal)
    const all = (replies: readonly TargetReply[]): readonly TargetReply[] =>
      replies.flatMap(each =>
        targets.map(target => ({ ...each, target, reply: this.#marked(each.reply) })),
      )
    const lists = { refused: all(result.refused), deferred: all(result.deferred) }
    if (result.kind === 'failed') return { ...result, ...lists, reply: this.#marked(result.reply) }
    const perform = async (mayPerform: () => boolean): Promise<Outcome> => {
      // Nothing may be awaited before this call: the deadline was checked for it.
      const outcome = await result.perform(mayPerform)
      return { ...outcome, reply: this.#marked(outcome.reply) }
    }
    const { source, requestId } = request
    const fields = { event: 'redirected', source, requestId, recipients: targets }
    this.#log.info(fields, `goes to ${this.#address} instead`)
    return { ...result, ...lists, accepted: targets, perform }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #marked(reply: string): string {
    return reply === '' ? '' : `${reply} (redirected to ${this.#address})`
  }
}
