import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { type Cancel, type Clock } from '../clock.ts'
import { describeError } from '../errors.ts'

/** More in the head of an answer is an error. */
const headBytesMax = 16 * 1024
/** How long the body of an answer may take that nobody reads, milliseconds. */
const drainMaxMs = 2000

export interface ExchangeOptions {
  readonly method: 'POST'
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly clock: Clock
  /** From the request to the head of the answer, milliseconds. */
  readonly answerTimeoutMs: number
  /** Of the body of an answer; the connection is closed at the first byte more. */
  readonly responseBytesMax: number
}

/** The head of an answer, or why there was none. */
export type Answer =
  | { readonly status: number; readonly retryAfter: string | undefined }
  | { readonly silence: string }

/** One HTTP/1.1 request on a connection of its own, which is closed with it. Nothing is written before `send`. */
export class WebhookExchange {
  readonly #socket: Socket
  readonly #options: ExchangeOptions
  readonly #request: ClientRequest
  readonly #answer = Promise.withResolvers<Answer>()
  #cancelTimer: Cancel = () => undefined
  #isOver = false

  private constructor(socket: Socket, options: ExchangeOptions) {
    const { method, target, headers } = options
    this.#socket = socket
    this.#options = options
    this.#request = httpRequest({
      createConnection: () => socket,
      method,
      path: target,
      headers,
      setHost: false,
      maxHeaderSize: headBytesMax,
    })
    this.#request.on('response', response => this.#onResponse(response))
    this.#request.on('error', error => this.#end({ silence: describeError(error) }))
    this.#request.on('close', () => this.#end({ silence: 'the connection was closed' }))
  }

  /** The connection is handed to the request only after a turn of the loop: from then on `send` writes at once. */
  static async open(socket: Socket, options: ExchangeOptions): Promise<WebhookExchange> {
    try {
      const exchange = new WebhookExchange(socket, options)
      await once(exchange.#request, 'socket')
      return exchange
    } catch (error) {
      // Nobody else listens to it any more.
      socket.on('error', () => undefined).destroy()
      throw error
    }
  }

  /** Writes the request in one go, before it returns. */
  send(headers: Readonly<Record<string, string>>, body: string): Promise<Answer> {
    const { clock, answerTimeoutMs } = this.#options
    if (this.#isOver) return this.#answer.promise
    for (const [name, value] of Object.entries(headers)) this.#request.setHeader(name, value)
    this.#request.end(body)
    this.#cancelTimer = clock.schedule(answerTimeoutMs, () =>
      this.#end({ silence: `no answer within ${answerTimeoutMs / 1000} s` }),
    )
    return this.#answer.promise
  }

  /** Ends it in whatever state it is. */
  destroy(): void {
    this.#end({ silence: 'stopped' })
  }

  #onResponse(response: IncomingMessage): void {
    if (!this.#request.writableEnded) {
      this.#end({ silence: 'it answered before it was asked' })
      return
    }
    const { statusCode: status = 0, headers } = response
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimer()
    this.#answer.resolve({ status, retryAfter: headers['retry-after'] })
    this.#drain(response)
  }

  /** A receiver that is cut off in its answer would take it for a failure. What it says is thrown away, up to a limit. */
  #drain(response: IncomingMessage): void {
    const { clock, responseBytesMax } = this.#options
    let left = responseBytesMax
    const stop = (): void => void this.#request.destroy()
    const cancel = clock.schedule(drainMaxMs, stop)
    response.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) stop()
    })
    response.on('error', stop)
    response.on('close', () => {
      cancel()
      stop()
    })
  }

  #end(answer: Answer): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimer()
    this.#request.destroy()
    this.#socket.destroy()
    this.#answer.resolve(answer)
  }
}
