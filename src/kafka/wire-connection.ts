import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Connection, Writer } from '@platformatic/kafka'
import { NetworkError, Reader, TimeoutError, UnexpectedCorrelationIdError } from './wire-library.ts'
import type { Cancel } from '../clock.ts'
import { FrameReader } from './frame-reader.ts'
import type { BrokerAddress, ResolvedKafkaOptions } from './options.ts'
import { piecesOf } from './request-pieces.ts'
import { authenticate } from './sasl.ts'

/** Of a session of SASL: after this part of its life it is renewed. */
const renewedAfter = 0.8

type Send = Connection['send']

interface Inflight {
  readonly fail: (error: Error) => void
  readonly answer: (response: Buffer) => void
  readonly cancelTimeout: Cancel
  isWritten: boolean
  /** An answer that came before all of the request was written. */
  early?: Buffer
}

/**
 * One connection to a broker, for requests of the wire library (it is what their `send` asks for). It copies neither the batches
 * that it writes nor the records that it reads. A request settles when its bytes are no longer needed, and not before: it has been
 * written and answered, or nothing more of it will be written.
 */
export class WireConnection {
  readonly #options: ResolvedKafkaOptions
  readonly #requestTimeoutMs: number
  readonly #socket: Socket
  readonly #inflight = new Map<number, Inflight>()
  #correlationId = 0
  #reason: Error | undefined
  /** What waits while a session is renewed: in between the broker takes nothing else. */
  #waiting: (() => void)[] | undefined
  #cancelRenewal: Cancel = () => undefined

  /** Throws NetworkError, the broker's refusal of our credentials, or TimeoutError after `connectTimeoutMs`. */
  static async open(
    address: BrokerAddress,
    options: ResolvedKafkaOptions,
    requestTimeoutMs: number,
  ): Promise<WireConnection> {
    const connection = new WireConnection(address, options, requestTimeoutMs)
    const late = new TimeoutError(`no connection after ${options.connectTimeoutMs} ms`)
    const cancel = options.clock.schedule(options.connectTimeoutMs, () => connection.destroy(late))
    try {
      await connection.#connected()
      await connection.#authenticate()
      return connection
    } catch (error) {
      connection.destroy()
      throw error
    } finally {
      cancel()
    }
  }

  private constructor(
    { host, port }: BrokerAddress,
    options: ResolvedKafkaOptions,
    requestTimeoutMs: number,
  ) {
    this.#options = options
    this.#requestTimeoutMs = requestTimeoutMs
    const frames = new FrameReader(frame => this.#onFrame(frame))
    const onread: OnReadOpts = {
      buffer: () => frames.room(),
      callback: count => {
        try {
          frames.read(count)
        } catch (error) {
          this.destroy(error as Error)
        }
        return true
      },
    }
    const at = { host, port, onread, noDelay: true }
    this.#socket = options.tls ? connectTls({ ...options.tls, ...at }) : connectTcp(at)
    // What every request learns by itself; an error event that nobody listens to would end the process.
    this.#socket.on('error', error => this.destroy(error))
    // Whoever ends answers nothing any more, but a socket with something to write would stay until that is taken.
    this.#socket.on('end', () => this.destroy())
    this.#socket.on('close', () => this.destroy())
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  /** Nothing more is written or read; what has no answer fails. */
  destroy(reason?: Error): void {
    this.#reason ??= reason
    this.#cancelRenewal()
    this.#socket.destroy()
    this.#failAll()
  }

  readonly send: Send = (...request) => {
    if (this.#waiting === undefined) this.#write(...request)
    else this.#waiting.push(() => this.#write(...request))
  }

  readonly #write: Send = (
    apiKey,
    apiVersion,
    createPayload,
    parse,
    hasRequestTags,
    hasResponseTags,
    callback,
  ) => {
    if (!this.isOpen) return callback(this.#closedError())
    const id = (this.#correlationId = (this.#correlationId + 1) & 0x7fff_ffff)
    let pieces: readonly Uint8Array[]
    try {
      const header = { apiKey, apiVersion, correlationId: id, clientId: this.#options.clientId }
      pieces = piecesOf(header, hasRequestTags, createPayload() as Writer)
    } catch (error) {
      return callback(error as Error)
    }
    const cancelTimeout = this.#options.clock.schedule(this.#requestTimeoutMs, () =>
      this.destroy(new TimeoutError(`no answer after ${this.#requestTimeoutMs} ms`)),
    )
    const answer = (response: Buffer): void => {
      try {
        // The tags of a response's header have never been any: one byte.
        const bytes = response.subarray(hasResponseTags ? 5 : 4)
        const parsed = parse(id, apiKey, apiVersion, Reader.from(bytes))
        callback(null, parsed as Awaited<typeof parsed>)
      } catch (error) {
        callback(error as Error)
      }
    }
    const request: Inflight = { answer, fail: callback, cancelTimeout, isWritten: false }
    this.#inflight.set(id, request)
    this.#socket.cork()
    for (const piece of pieces.slice(0, -1)) this.#socket.write(piece)
    this.#socket.write(pieces.at(-1)!, error => {
      if (error) return
      request.isWritten = true
      if (request.early !== undefined) this.#settle(id, request, request.early)
    })
    this.#socket.uncork()
  }

  #onFrame(frame: Buffer): void {
    const id = frame.readInt32BE()
    const request = this.#inflight.get(id)
    if (request === undefined || request.early !== undefined)
      throw new UnexpectedCorrelationIdError(`an answer to no request of ours: ${id}`)
    if (request.isWritten) this.#settle(id, request, frame)
    else request.early = frame
  }

  #settle(id: number, request: Inflight, frame: Buffer): void {
    if (!this.#inflight.delete(id)) return
    request.cancelTimeout()
    request.answer(frame)
  }

  #closedError(): Error {
    const cause = this.#reason
    if (cause instanceof TimeoutError) return cause
    return new NetworkError('the connection is closed', cause && { cause })
  }

  #failAll(): void {
    const error = this.#closedError()
    const waiting = this.#waiting?.splice(0) ?? []
    const inflight = [...this.#inflight.values()]
    this.#inflight.clear()
    for (const { cancelTimeout, fail } of inflight) {
      cancelTimeout()
      fail(error)
    }
    // Each finds the connection closed.
    for (const write of waiting) write()
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once(this.#options.tls ? 'secureConnect' : 'connect', resolve)
      this.#socket.once('close', () => reject(this.#closedError()))
    })
  }

  async #authenticate(): Promise<void> {
    const { sasl, clock } = this.#options
    if (sasl === undefined) return
    const lifetimeMs = await authenticate({ send: this.#write } as unknown as Connection, sasl)
    if (lifetimeMs > 0 && this.isOpen)
      this.#cancelRenewal = clock.schedule(lifetimeMs * renewedAfter, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    const waiting = (this.#waiting = [] as (() => void)[])
    try {
      await this.#authenticate()
    } catch (error) {
      this.destroy(error as Error)
    } finally {
      this.#waiting = undefined
      for (const write of waiting) write()
    }
  }
}
