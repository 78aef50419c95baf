import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { SmtpScript } from './smtp-script.ts'
import { SmtpSession, type AcceptedMail } from './smtp-session.ts'
import { testCertificate, testPrivateKey } from './test-certificate.ts'

export interface ScriptedSmtpOptions {
  /** TLS from the first byte. */
  readonly secure?: boolean
  /** @default 127.0.0.1 */
  readonly host?: string
}

/**
 * A relay in this process that does at every point what its script says, on a free port of 127.0.0.1. It tells when things
 * have happened, so that no test has to sleep.
 */
export class ScriptedSmtpServer implements AsyncDisposable {
  readonly accepted: AcceptedMail[] = []
  readonly sessions: SmtpSession[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #watchers = new Set<() => void>()

  private constructor(server: Server) {
    this.#server = server
  }

  /** `script` may differ for each connection, counted from 0. */
  static async start(
    script: SmtpScript | ((connection: number) => SmtpScript) = {},
    options: ScriptedSmtpOptions = {},
  ): Promise<ScriptedSmtpServer> {
    const server =
      options.secure === true
        ? createTlsServer({ cert: testCertificate, key: testPrivateKey })
        : createServer()
    const relay = new ScriptedSmtpServer(server)
    server.on(options.secure === true ? 'secureConnection' : 'connection', (socket: Socket) => {
      relay.#serve(socket, script)
    })
    server.listen(0, options.host ?? '127.0.0.1')
    await once(server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`
  }

  get openConnections(): number {
    return this.#sockets.size
  }

  get commands(): readonly string[] {
    return this.sessions.flatMap(session => session.commands)
  }

  /** Resolves when the condition holds; asked whenever anything has happened here. */
  until(condition: (relay: this) => boolean): Promise<void> {
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
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #serve(socket: Socket, script: SmtpScript | ((connection: number) => SmtpScript)): void {
    this.#sockets.add(socket)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#progress()
    })
    const number = this.sessions.length
    const events = {
      onAccepted: (mail: AcceptedMail) => this.accepted.push(mail),
      onProgress: () => this.#progress(),
    }
    const own = typeof script === 'function' ? script(number) : script
    this.sessions.push(new SmtpSession(socket, number, own, events))
  }

  #progress(): void {
    for (const watch of this.#watchers) watch()
  }
}
