import { type Socket } from 'node:net'
import { describeError } from '../errors.ts'
import { AddressPolicy } from './address-policy.ts'
import { retryAfterMs } from './http-retry-after.ts'
import { sha256Hex } from './sha256-hex.ts'
import type { FailedAttempt, Outcome, PreparedAttempt, Sink, SinkAttempt } from './sink.ts'
import { oneLine } from './smtp-reply.ts'
import { AddressForbidden, connectTo } from './webhook-connection.ts'
import { type Answer, WebhookExchange } from './webhook-exchange.ts'
import {
  resolveWebhookOptions,
  type ResolvedWebhookOptions,
  type WebhookSinkOptions,
} from './webhook-options.ts'
import type { WebhookRequest } from './webhook-request.ts'
import { webhookSignature } from './webhook-signature.ts'
import { type WebhookEndpoint, webhookEndpoint } from './webhook-url.ts'

/** The one answer by which a receiver says that it wants no more webhooks at this URL. */
export const goneReply = 'HTTP 410'

/**
 * Standard Webhooks over HTTP/1.1: connected, TLS included, in `prepare`; the request is written in `perform`. Receivers drop repeats by
 * `webhook-id`, so nothing is ever in doubt here: no answer means "not now", like a 5xx.
 */
export class WebhookSink implements Sink<WebhookRequest> {
  readonly concurrencyMax: number
  readonly #options: ResolvedWebhookOptions
  readonly #policy: AddressPolicy
  readonly #exchanges = new Set<WebhookExchange>()
  readonly #closing = new AbortController()

  /** Throws CONFIGURATION_INVALID. Connects to nothing yet. */
  constructor(options: WebhookSinkOptions) {
    this.#options = resolveWebhookOptions(options)
    this.#policy = new AddressPolicy(this.#options.allowPrivate)
    this.concurrencyMax = this.#options.connectionsMax
  }

  async prepare(
    attempt: SinkAttempt<WebhookRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { keys, allowHttp } = this.#options
    if (keys.length === 0) return refused(attempt, '', 'no key for webhooks is configured')
    const endpoint = webhookEndpoint(attempt.request.url, allowHttp)
    if (typeof endpoint === 'string') return refused(attempt, '', endpoint)
    const { authority } = endpoint
    const stopped = AbortSignal.any([signal, this.#closing.signal])
    try {
      const context = { ...this.#options, policy: this.#policy }
      const socket = await connectTo(endpoint, context, stopped)
      return await this.#prepared(attempt, endpoint, await this.#open(socket, endpoint))
    } catch (error) {
      if (stopped.aborted) return failed(attempt, authority, {}, 'stopped before the request')
      if (error instanceof AddressForbidden) return refused(attempt, authority, error.message)
      const reply = oneLine(describeError(error))
      const deferred = attempt.targets.map(target => ({ target, reply }))
      return failed(attempt, authority, { deferred }, reply)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const exchange of this.#exchanges) exchange.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(socket: Socket, { target, authority }: WebhookEndpoint): Promise<WebhookExchange> {
    const { clock, timeoutMs: answerTimeoutMs, responseBytesMax } = this.#options
    const headers = {
      host: authority,
      'content-type': 'application/json',
      'user-agent': 'mailonce',
      connection: 'close',
    }
    return WebhookExchange.open(socket, {
      method: 'POST',
      target,
      headers,
      clock,
      answerTimeoutMs,
      responseBytesMax,
    })
  }

  async #prepared(
    { request, targets }: SinkAttempt<WebhookRequest>,
    { authority }: WebhookEndpoint,
    exchange: WebhookExchange,
  ): Promise<PreparedAttempt> {
    const { eventId, body } = request
    this.#exchanges.add(exchange)
    const contentHash = await sha256Hex(Buffer.from(body))
    return {
      kind: 'prepared',
      accepted: targets,
      refused: [],
      deferred: [],
      messageId: eventId,
      contentHash,
      relay: authority,
      perform: async mayPerform => {
        const sent = mayPerform() ? exchange.send(this.#signed(request), body) : undefined
        if (sent === undefined) exchange.destroy()
        const outcome =
          sent === undefined ? notPerformed : outcomeOf(await sent, this.#options.clock.nowMs())
        this.#exchanges.delete(exchange)
        return outcome
      },
      abandon: () => {
        this.#exchanges.delete(exchange)
        exchange.destroy()
      },
      // A receiver that hangs up early has failed like one that says 503: its schedule goes on, with `perform`.
      lost: new Promise<string>(() => undefined),
    }
  }

  #signed({ eventId, body }: WebhookRequest): Readonly<Record<string, string>> {
    const { clock, keys } = this.#options
    const seconds = Math.floor(clock.nowMs() / 1000)
    return {
      'content-length': String(Buffer.byteLength(body)),
      'webhook-id': eventId,
      'webhook-timestamp': String(seconds),
      'webhook-signature': webhookSignature(eventId, seconds, body, keys),
    }
  }
}

const notPerformed: Outcome = Object.freeze({ kind: 'abandoned', reply: 'not performed' })

/** 2xx is done, 410 the end of that URL; redirects are not followed; everything else may change, so it is tried again. */
function outcomeOf(answer: Answer, nowMs: number): Outcome {
  if ('silence' in answer) return { kind: 'deferred', reply: oneLine(answer.silence) }
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'done', reply: `HTTP ${status}` }
  if (status === 410) return { kind: 'refused', reply: goneReply }
  const asksToWait = status === 429 || status === 503
  const delayMs = asksToWait ? retryAfterMs(answer.retryAfter, nowMs) : null
  return {
    kind: 'deferred',
    reply: `HTTP ${status}`,
    ...(delayMs === null ? {} : { retryAfterMs: delayMs }),
    ...asksForLess(status),
  }
}

/** 429 asks for less; 502, 503 and 504 may only say that something is broken. */
function asksForLess(status: number): Pick<Outcome, 'asksForLess'> {
  if (status === 429) return { asksForLess: 'certain' }
  return status >= 502 && status <= 504 ? { asksForLess: 'likely' } : {}
}

function refused(
  attempt: SinkAttempt<WebhookRequest>,
  authority: string,
  reason: string,
): FailedAttempt {
  const reply = oneLine(reason)
  const lists = { refused: attempt.targets.map(target => ({ target, reply })) }
  return failed(attempt, authority, lists, reply)
}

function failed(
  { request }: SinkAttempt<WebhookRequest>,
  authority: string,
  lists: Partial<Pick<FailedAttempt, 'refused' | 'deferred'>>,
  reply: string,
): FailedAttempt {
  return {
    kind: 'failed',
    reached: false,
    refused: [],
    deferred: [],
    unavailable: false,
    reply,
    messageId: request.eventId,
    relay: authority,
    ...lists,
  }
}
