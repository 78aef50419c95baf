import { Connection, ConnectionStatuses, type ConnectionOptions } from '@platformatic/kafka'
import { StreamsError, describeError } from '../errors.ts'
import { errorNamesOf, handlingOf } from './classify.ts'
import type { BrokerAddress, ResolvedKafkaOptions } from './options.ts'

/**
 * One connection to each broker, for one purpose. A broker answers the requests of a connection one after the other,
 * so a long fetch or a JoinGroup must never share one with a heartbeat or a commit: every part of the client has its
 * own.
 */
export class BrokerConnections implements AsyncDisposable {
  readonly #clientId: string
  readonly #connectionOptions: ConnectionOptions
  readonly #connections = new Map<string, Promise<Connection>>()
  #closed = false

  constructor(options: ResolvedKafkaOptions, requestTimeoutMs: number) {
    this.#clientId = options.clientId
    this.#connectionOptions = {
      connectTimeout: options.connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      ...(options.tls && { tls: options.tls }),
      ...(options.sasl && { sasl: { ...options.sasl } }),
    }
  }

  /** An open connection. BROKER_UNAVAILABLE (nothing was sent), AUTHORIZATION_FAILED, CLOSED. */
  async to(broker: BrokerAddress): Promise<Connection> {
    if (this.#closed) throw new StreamsError('CLOSED', 'the client is closed')
    const key = `${broker.host}:${broker.port}`
    const known = this.#connections.get(key)
    if (known !== undefined && (await isUsable(await known))) return known
    // While we looked, another caller may have begun to open the next one.
    if (this.#connections.get(key) === known) this.#connections.delete(key)
    const opening = this.#connections.get(key) ?? this.#connect(key, broker)
    this.#connections.set(key, opening)
    return opening
  }

  async #connect(key: string, { host, port }: BrokerAddress): Promise<Connection> {
    const connection = new Connection(this.#clientId, this.#connectionOptions)
    // An error event nobody listens to would end the process; every request learns of it by itself.
    connection.on('error', () => undefined)
    try {
      // Errors of a connection attempt that resolves by callback would be lost as a rejected promise of its own.
      await new Promise<void>((resolve, reject) => {
        void connection.connect(host, port, error => (error ? reject(error) : resolve()))
      })
    } catch (error) {
      this.#connections.delete(key)
      connection.socket?.destroy()
      throw connectionError(key, error)
    }
    if (!this.#closed) return connection
    await connection.close()
    throw new StreamsError('CLOSED', 'the client is closed')
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#connections.values()]
    this.#connections.clear()
    await Promise.all(
      open.map(async each => {
        const connection = await each.catch(() => undefined)
        // Whoever closes wants no answers any more: a fetch that is under way ends at once.
        connection?.socket?.destroy()
      }),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** A session of SASL that is being renewed (KIP-368) takes no requests for a moment. */
async function isUsable(connection: Connection): Promise<boolean> {
  if (connection.status === ConnectionStatuses.REAUTHENTICATING)
    await connection.ready().catch(() => undefined)
  return connection.isConnected()
}

/** Only a broker's own word is a refusal: a connection that breaks during the handshake is one that is not there. */
function connectionError(key: string, error: unknown): StreamsError {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const refusal = errorNamesOf(each).find(name => handlingOf(name) === 'AUTHORIZATION_FAILED')
    if (refusal !== undefined)
      return new StreamsError(
        'AUTHORIZATION_FAILED',
        `${key} refuses our credentials: ${refusal}`,
        {
          cause: error,
        },
      )
  }
  return new StreamsError(
    'BROKER_UNAVAILABLE',
    `no connection to ${key}: ${describeError(error)}`,
    {
      cause: error,
    },
  )
}
