import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describeError, StreamsError } from '../errors.ts'
import type { MailEncoder, MailIdentity } from './composed-mail.ts'
import type { MailRequest } from './mail-request.ts'
import { mimeTreeEncoder } from './mime-tree-encoder.ts'

/** From here on, characters, encoding takes so long that other mails would notice: 10 ms and more. */
const largeLength = 256 * 1024

export interface EncodingTask {
  readonly id: number
  readonly request: MailRequest
  readonly identity: MailIdentity
}

export interface EncodingAnswer {
  readonly id: number
  /** Undefined when it failed. */
  readonly bytes?: Uint8Array
  readonly failure?: string
}

type Waiting = ReturnType<typeof Promise.withResolvers<Buffer>>

/**
 * Encodes large texts and attached messages, which would hold up the event loop (10 MB: a quarter of a second), on a thread that is started
 * with the first of them. Attachments are encoded here, piece by piece: they would be copied to no use.
 */
export class EncodingThread implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #taskCount = 0
  #closed = false

  /** The same bytes as `mimeTreeEncoder`. Rejects with INTERNAL when the thread dies: the next mail gets another. */
  readonly encode: MailEncoder = (request, identity) =>
    isLarge(request) ? this.#ask(request, identity) : mimeTreeEncoder(request, identity)

  async close(): Promise<void> {
    this.#closed = true
    await this.#worker?.terminate()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #ask(request: MailRequest, identity: MailIdentity): Promise<Buffer> {
    if (this.#closed) throw new StreamsError('INTERNAL', 'the sink is closed')
    const worker = (this.#worker ??= this.#start())
    this.#taskCount += 1
    const task: EncodingTask = { id: this.#taskCount, request: mailOf(request), identity }
    const waiting = Promise.withResolvers<Buffer>()
    worker.postMessage(task, [])
    this.#waiting.set(task.id, waiting)
    return waiting.promise
  }

  #start(): Worker {
    const own = `encoding-worker${extname(import.meta.url)}`
    const worker = new Worker(new URL(own, import.meta.url))
    worker.on('message', ({ id, bytes, failure = '' }: EncodingAnswer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (bytes === undefined) return waiting?.reject(new StreamsError('INTERNAL', failure))
      waiting?.resolve(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    })
    worker.on('error', error => this.#end(worker, describeError(error)))
    worker.on('exit', () => this.#end(worker, 'the thread that encodes large mails has ended'))
    return worker
  }

  #end(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new StreamsError('INTERNAL', reason))
    }
    this.#waiting.clear()
  }
}

function isLarge({ text, html, attachments }: MailRequest): boolean {
  return (
    (text ?? '').length + (html ?? '').length > largeLength ||
    attachments.some(
      ({ contentType, content }) => /^message\//i.test(contentType) && content.length > largeLength,
    )
  )
}

/** What is more than a mail in a request is not copied. */
function mailOf(request: MailRequest): MailRequest {
  const { source, requestId, from, replyTo, to, cc, bcc, subject, text, html } = request
  const { headers, attachments, unsubscribe = null } = request
  const envelope = { source, requestId, from, replyTo, to, cc, bcc }
  return { ...envelope, subject, text, html, headers, unsubscribe, attachments }
}
