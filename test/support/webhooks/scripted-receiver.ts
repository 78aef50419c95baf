import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { testCertificate, testPrivateKey } from '../smtp/test-certificate.ts'

/** What a receiver does at each point: bytes to write, or anything else. */
export interface ReceiverScript {
  readonly onConnect?: (socket: Socket) => void
  /** Once a whole request is there. @default answers 204 */
  readonly onRequest?: string | ((socket: Socket) => void)
}

export interface ReceivedRequest {
  /** The request line. */
  readonly line: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export const ok = 'HTTP/1.1 204 No Content\r\n\r\n'

/** A receiver of webhooks on a raw socket of 127.0.0.1, so that it can do what no HTTP server would. */
export class ScriptedReceiver implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = []
  /** Bytes that have come in, whether they are a request or not. */
  bytes = 0
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #watchers = new Set<() => void>()
  readonly #secure: boolean

  private constructor(server: Server, secure: boolean) {
    this.#server = server
    this.#secure = secure
  }

  /** `script` may differ for each connection, counted from 0. */
  static async start(
    script: ReceiverScript | ((connection: number) => ReceiverScript) = {},
    { secure = false, host = '127.0.0.1' } = {},
  ): Promise<ScriptedReceiver> {
    const server = secure
      ? createTlsServer({ cert: testCertificate, key: testPrivateKey })
      : createServer()
    const receiver = new ScriptedReceiver(server, secure)
    server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) =>
      receiver.#serve(socket, script),
    )
    server.listen(0, host)
    await once(server, 'listening')
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://127.0.0.1:${this.port}/hooks?of=mail`
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  /** Resolves when the condition holds; asked whenever anything has happened here. */
  until(condition: (receiver: this) => boolean): Promise<void> {
    return new Promise(resolve => {
      const watch = (): void => {
        if (!condition(this)) return
        this.#watchers.delete(watch)
        resolve()
      }
      this.#watchers.add(watch)
      watch()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket, script: ReceiverScript | ((connection: number) => ReceiverScript)): void {
    const { onConnect, onRequest = ok } =
      typeof script === 'function' ? script(this.connections) : script
    this.connections += 1
    this.#sockets.add(socket)
    let received = ''
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#tell()
    })
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      received += text
      this.bytes += text.length
      const request = parsed(received)
      if (request) {
        received = ''
        this.requests.push(request)
        if (typeof onRequest === 'string') socket.write(onRequest)
        else onRequest(socket)
      }
      this.#tell()
    })
    onConnect?.(socket)
    this.#tell()
  }

  #tell(): void {
    for (const watch of this.#watchers) watch()
  }
}

/** Undefined while something of it is missing. */
function parsed(text: string): ReceivedRequest | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line = '', ...fields] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    fields.map(field => {
      const colon = field.indexOf(':')
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
    }),
  )
  const body = text.slice(end + 4)
  return Buffer.byteLength(body) < Number(headers['content-length'] ?? 0)
    ? undefined
    : { line, headers, body }
}
