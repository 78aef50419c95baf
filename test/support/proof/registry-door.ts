import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

/** Stands in front of the registry and can be closed, as the registry itself goes down: connections are refused or cut. */
export class RegistryDoor implements AsyncDisposable {
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>
  readonly #port: number

  private constructor(server: Server, sockets: Set<Socket>, behind: URL) {
    this.#server = server
    this.#sockets = sockets
    this.#port = (server.address() as { port: number }).port
    this.url = `http://127.0.0.1:${this.#port}${behind.pathname}`
  }

  static async open(registryUrl: string): Promise<RegistryDoor> {
    const behind = new URL(registryUrl)
    const sockets = new Set<Socket>()
    const server = createServer(client => {
      const registry = connect(Number(behind.port), behind.hostname)
      for (const [socket, other] of [
        [client, registry],
        [registry, client],
      ] as const) {
        sockets.add(socket)
        socket.pipe(other)
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new RegistryDoor(server, sockets, behind)
  }

  /** The registry is gone. */
  async shut(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** It is back, at the same address. */
  async reopen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shut()
  }
}
