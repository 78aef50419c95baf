import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describeError, StreamsError } from '../errors.ts'
import { hostPortText, type HostPort } from './parsers.ts'
import type { QueryAnswer } from './request-queries.ts'

/** What a probe may ask. */
export interface Health {
  /** The process works; false only when nothing but a restart helps. */
  readonly healthy: boolean
  /** In the group, and every assigned task is running. */
  readonly ready: boolean
  /** The state in one line, for a person. */
  readonly text: string
}

export interface HttpServerOptions {
  readonly listen: HostPort
  readonly health: () => Health
  /** Text format of Prometheus, version 0.0.4. */
  readonly metrics: () => string | Promise<string>
  /** Answers other paths, decoded or not; undefined for those that do not exist. */
  readonly query?: (path: string) => Promise<QueryAnswer | undefined>
}

/** Probes, metrics and answers about requests; nothing here changes anything. */
export interface HttpServer extends AsyncDisposable {
  /** Where it listens, with the real port. */
  readonly address: string
  close(): Promise<void>
}

/** Serves `GET` and `HEAD` of /healthz, /readyz, /metrics and what can be queried. Throws HTTP_ADDRESS_UNUSABLE. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((request, response) => {
    // A probe must get an answer, and none may end the process.
    answer(request, response, options).catch((error: unknown) => {
      response.writeHead(500).end(`${describeError(error)}\n`)
    })
  })
  // Probes are short: a client that is slower than this is none.
  server.requestTimeout = 10_000
  const { host, port } = options.listen
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${error.message})`
      const message = `${hostPortText(options.listen)} ${why}: choose another address with --http HOST:PORT`
      reject(new StreamsError('HTTP_ADDRESS_UNUSABLE', message))
    })
    server.listen({ host, port }, resolve)
  })
  const bound = server.address()
  const address = hostPortText({
    host,
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
  })
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise(resolve => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  return { address, close, [Symbol.asyncDispose]: close }
}

const plainText = 'text/plain; charset=utf-8'

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
): Promise<void> {
  const path = (request.url ?? '/').replace(/[?#].*$/, '')
  const reply = (status: number, body: string, type = plainText): void => {
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  const isProbe = path === '/healthz' || path === '/readyz' || path === '/metrics'
  if (!isProbe && !path.startsWith('/requests/')) {
    return reply(404, 'Not found: there are /healthz, /readyz, /metrics and /requests.\n')
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return reply(405, 'Only GET and HEAD.\n')
  }
  if (!isProbe) {
    const found = (await options.query?.(path)) ?? { status: 404, body: { error: 'not found' } }
    if (found.location !== undefined) response.setHeader('location', found.location)
    return reply(found.status, `${JSON.stringify(found.body)}\n`, 'application/json')
  }
  if (path === '/metrics')
    return reply(200, await options.metrics(), 'text/plain; version=0.0.4; charset=utf-8')
  const { healthy, ready, text } = options.health()
  const good = path === '/healthz' ? healthy : healthy && ready
  reply(good ? 200 : 503, `${text}\n`)
}
