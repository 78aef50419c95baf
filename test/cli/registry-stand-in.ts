import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A registry that knows every schema, or none: it answers the look-up of a schema as the real one does. */
export class RegistryStandIn implements AsyncDisposable {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(knows: 'everything' | 'nothing'): Promise<RegistryStandIn> {
    const server = createServer((_request, response) => {
      const answer =
        knows === 'everything' ? { id: 1 } : { error_code: 40_401, message: 'Subject not found.' }
      response.writeHead(knows === 'everything' ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new RegistryStandIn(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
