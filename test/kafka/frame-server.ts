import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { FrameReader } from '../../src/kafka/frame-reader.ts'

export interface ReceivedRequest {
  readonly apiKey: number
  readonly correlationId: number
  /** All of it, behind its length. */
  readonly bytes: Buffer
  answer(payload: Buffer): void
  readonly socket: Socket
}

/** A broker as far as its frames go: what it answers is the test's business. */
export class FrameServer implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(
    onRequest: (request: ReceivedRequest) => void,
    tls?: TlsOptions,
  ): Promise<FrameServer> {
    const accept = (socket: Socket): void => world.#accept(socket, onRequest)
    const server = tls ? createTlsServer(tls, accept) : createServer(accept)
    const world = new FrameServer(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return world
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  #accept(socket: Socket, onRequest: (request: ReceivedRequest) => void): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
    const frames = new FrameReader(bytes => {
      const correlationId = bytes.readInt32BE(4)
      const answer = (payload: Buffer): void => void socket.write(answerTo(correlationId, payload))
      onRequest({ apiKey: bytes.readInt16BE(), correlationId, bytes, answer, socket })
    })
    socket.on('data', (data: Buffer) => {
      for (let at = 0; at < data.length;) {
        const count = data.copy(frames.room(), 0, at)
        at += count
        frames.read(count)
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** As it travels: its length, its header with no tags, the payload. */
export function answerTo(correlationId: number, payload: Buffer, tags = Buffer.alloc(1)): Buffer {
  const header = Buffer.alloc(8)
  header.writeInt32BE(4 + tags.length + payload.length)
  header.writeInt32BE(correlationId, 4)
  return Buffer.concat([header, tags, payload])
}
