import { callbackify } from 'node:util'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server'
import { describeError, errorCodeOf, StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { hostPortText, type HostPort } from './parsers.ts'

export interface LmtpListenerOptions {
  readonly listen: HostPort
  /** Resolves when somebody else has the message for good. */
  readonly publish: (message: Buffer) => Promise<void>
  readonly log: Logger
  /** Largest message that is taken, bytes. @default 1_000_000, what a Kafka topic takes by itself */
  readonly bytesMax?: number
}

/** A local door for reports (RFC 2033): whatever is handed in is taken, once it is committed. */
export interface LmtpListener extends AsyncDisposable {
  /** Where it listens, with the real port. */
  readonly address: string
}

const connectionsMax = 20
const silenceMaxMs = 60_000

/** Throws LMTP_ADDRESS_UNUSABLE. */
export async function startLmtpListener(options: LmtpListenerOptions): Promise<LmtpListener> {
  const { listen, log, bytesMax = 1_000_000 } = options
  const server = new SMTPServer({
    lmtp: true,
    size: bytesMax,
    maxClients: connectionsMax,
    socketTimeout: silenceMaxMs,
    closeTimeout: 1000,
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    onData: callbackify((stream: SMTPServerDataStream, _session: SMTPServerSession) =>
      receive(stream, options),
    ),
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(unusable(listen, error)))
    server.listen(listen.port, listen.host, resolve)
  })
  // A client that goes away is no news.
  server.on('error', error => log.debug({ event: 'lmtp-client-failed' }, describeError(error)))
  const bound = server.server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port
  return {
    address: hostPortText({ host: listen.host, port }),
    [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())),
  }
}

/** The answer, once the message is committed; what it throws is the answer, too. */
async function receive(
  stream: SMTPServerDataStream,
  { publish, log, bytesMax = 1_000_000 }: LmtpListenerOptions,
): Promise<string> {
  const message = await boundedBytes(stream, bytesMax)
  try {
    await publish(message)
    return '2.0.0 taken'
  } catch (error) {
    log.warn({ event: 'lmtp-not-taken' }, describeError(error))
    if (errorCodeOf(error) === 'RECORD_TOO_LARGE')
      throw answer(552, '5.3.4 the message is too large')
    throw answer(451, '4.3.0 the message cannot be taken just now')
  }
}

/** Reads everything, keeps no more than is taken: a larger one is refused by the server itself. */
async function boundedBytes(stream: SMTPServerDataStream, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= bytesMax) chunks.push(chunk)
  }
  if (bytes > bytesMax) throw answer(552, '5.3.4 the message is too large')
  return Buffer.concat(chunks)
}

function answer(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode })
}

function unusable(listen: HostPort, error: NodeJS.ErrnoException): StreamsError {
  const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${error.message})`
  return new StreamsError(
    'LMTP_ADDRESS_UNUSABLE',
    `${hostPortText(listen)} ${why}: choose another address with --lmtp HOST:PORT`,
  )
}
