import type { Logger } from '../log.ts'
import type { MailRequest } from './mail-request.ts'
import { headersToUnsubscribe, isUnsubscribeHeader } from './unsubscribe-headers.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  RelayRooms,
  Sink,
  SinkAttempt,
  TargetReply,
} from './sink.ts'

/** Before the names of headers that tell what the mail would have said to those whom it was meant for. */
const prefix = 'X-Mailonce-Original-'

/**
 * Every mail goes to one address. What becomes of it there counts for all whom it was meant for, and each reply says that it was
 * redirected. The headers that unsubscribe have no effect in it.
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

  get rooms(): RelayRooms | undefined {
    return this.#inner.rooms
  }

  setShare(share: number): void {
    this.#inner.setShare?.(share)
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { request, targets } = attempt
    const redirected = {
      ...attempt,
      targets: [this.#address],
      request: {
        ...request,
        headers: { ...harmlessHeaders(request), [`${prefix}Recipients`]: targets.join(', ') },
        unsubscribe: null,
      },
    }
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

/**
 * A click in the redirected mail, or a scanner's POST (RFC 8058), would unsubscribe the person whom it was meant for: under names that
 * no mail program acts on, what stood there can still be read.
 */
function harmlessHeaders({ headers, unsubscribe }: MailRequest): Readonly<Record<string, string>> {
  const all = [
    ...Object.entries(headers),
    ...(unsubscribe ? headersToUnsubscribe(unsubscribe) : []),
  ]
  return Object.fromEntries(
    all.map(([name, value]) => [isUnsubscribeHeader(name) ? prefix + name : name, value]),
  )
}
