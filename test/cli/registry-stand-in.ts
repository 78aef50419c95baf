import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

type Answer = readonly [status: number, body: object]

/**
 * What a registry may know: every schema, under the rule or under none; no schema; or an older one of each subject that the
 * new one does not go with.
 */
export type Knowledge = 'everything' | 'everything, without a rule' | 'nothing' | 'older schemas'

const underRule: Answer = [200, { compatibilityLevel: 'FULL_TRANSITIVE' }]
const noSubject: Answer = [404, { error_code: 40_401, message: 'Subject not found.' }]
const noSchema: Answer = [404, { error_code: 40_403, message: 'Schema not found.' }]

/** Answers by the first part of the path; the rest is the same for all. */
const answers: Readonly<Record<Knowledge, (part: string, method: string) => Answer>> = {
  everything: part => (part === 'config' ? underRule : [200, { id: 1 }]),
  'everything, without a rule': part => (part === 'config' ? noSubject : [200, { id: 1 }]),
  nothing: () => noSubject,
  'older schemas': (part, method) => {
    if (part === 'config') return underRule
    if (part === 'compatibility')
      return [200, { is_compatible: false, messages: ['a field without a default'] }]
    return method === 'POST' ? noSchema : [200, [1]]
  },
}

/** A registry that answers as the real one does. */
export class RegistryStandIn implements AsyncDisposable {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(knows: Knowledge): Promise<RegistryStandIn> {
    const server = createServer(({ url = '', method = '' }, response) => {
      const [status, body] = answers[knows](url.split('/')[1] ?? '', method)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
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
