import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
} from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { CountingSmtpSession, type RelayMode } from './counting-smtp-session.ts'
import { DeliveryJournal, type DeliveryCounts } from './delivery-journal.ts'
import { FaultDice, type SmtpFaults } from './smtp-faults.ts'

export interface CountingSmtpStatus extends DeliveryCounts {
  readonly mode: RelayMode
  readonly connections: number
  readonly openConnections: number
  readonly openConnectionsMax: number
}

export interface CountingSmtpOptions {
  /** 0 for a free one. @default 0 */
  readonly port?: number
  /** 0 for a free one. @default 0 */
  readonly httpPort?: number
  readonly seed?: number
  readonly faults?: Partial<SmtpFaults>
  /** Keeps what was taken over its own death. */
  readonly file?: string
}

/**
 * A relay that takes every mail at once and counts it, to prove that nothing was mailed twice or lost. It is told about faults and
 * outages over HTTP: `GET /counts`, `GET /accepted`, `GET /deliveries`, `POST /mode {"mode":"refuse"}`, `POST /faults {"dropAfterDot":0.1}`,
 * `POST /clear`.
 */
export class CountingSmtpServer implements AsyncDisposable {
  readonly journal: DeliveryJournal
  readonly dice: FaultDice
  mode: RelayMode = 'normal'
  readonly #smtp: Server
  readonly #http: HttpServer
  readonly #sockets = new Set<Socket>()
  #connections = 0
  #openConnectionsMax = 0

  private constructor(options: CountingSmtpOptions) {
    this.journal = new DeliveryJournal(options.file)
    this.dice = new FaultDice(options.seed ?? 1)
    this.dice.set(options.faults ?? {})
    this.#smtp = createServer(socket => this.#serve(socket))
    this.#http = createHttpServer((request, response) => {
      void this.#answer(request).then(
        body => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
        error => response.writeHead(400).end(String(error)),
      )
    })
  }

  static async start(options: CountingSmtpOptions = {}): Promise<CountingSmtpServer> {
    const server = new CountingSmtpServer(options)
    server.#smtp.listen(options.port ?? 0, '127.0.0.1')
    server.#http.listen(options.httpPort ?? 0, '127.0.0.1')
    await Promise.all([once(server.#smtp, 'listening'), once(server.#http, 'listening')])
    return server
  }

  get port(): number {
    return (this.#smtp.address() as AddressInfo).port
  }

  get httpPort(): number {
    return (this.#http.address() as AddressInfo).port
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`
  }

  status(): CountingSmtpStatus {
    return {
      ...this.journal.counts(),
      mode: this.mode,
      connections: this.#connections,
      openConnections: this.#sockets.size,
      openConnectionsMax: this.#openConnectionsMax,
    }
  }

  /** An outage that drops cuts what is open as well. */
  setMode(mode: RelayMode): void {
    this.mode = mode
    if (mode !== 'drop') return
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [once(this.#smtp, 'close'), once(this.#http, 'close')]
    this.#smtp.close()
    this.#http.close()
    this.#http.closeAllConnections()
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    this.#connections += 1
    this.#openConnectionsMax = Math.max(this.#openConnectionsMax, this.#sockets.size)
    socket.on('close', () => this.#sockets.delete(socket))
    void new CountingSmtpSession(socket, this)
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    switch (`${request.method} ${request.url}`) {
      case 'GET /counts':
        return this.status()
      case 'GET /accepted':
        return this.journal.deliveries.length
      case 'GET /deliveries':
        return this.journal.deliveries
      case 'POST /mode':
        this.setMode(((await json(request)) as { mode: RelayMode }).mode)
        return this.status()
      case 'POST /faults':
        this.dice.set((await json(request)) as Partial<SmtpFaults>)
        return this.status()
      case 'POST /clear':
        this.journal.clear()
        return this.status()
      default:
        throw new Error(`no such request: ${request.method} ${request.url}`)
    }
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'http-port': { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      faults: { type: 'string', default: '{}' },
      file: { type: 'string' },
    },
  })
  const server = await CountingSmtpServer.start({
    port: Number(values.port),
    httpPort: Number(values['http-port']),
    seed: Number(values.seed),
    faults: JSON.parse(values.faults) as Partial<SmtpFaults>,
    ...(values.file === undefined ? {} : { file: values.file }),
  })
  process.stdout.write(`${JSON.stringify({ smtp: server.port, http: server.httpPort })}\n`)
  const stop = (): void => void server[Symbol.asyncDispose]()
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}
