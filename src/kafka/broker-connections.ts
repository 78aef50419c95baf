import type { Connection } from '@platformatic/kafka'
import { StreamsError, describeError } from '../errors.ts'
import { errorNamesOf, handlingOf } from './classify.ts'
import type { BrokerAddress, ResolvedKafkaOptions } from './options.ts'
import { WireConnection } from './wire-connection.ts'

/**
 * One connection to each broker, for one purpose. A broker answers the requests of a connection one after the other,
 * so a long fetch or a JoinGroup must never share one with a heartbeat or a commit: every part of the client has its
 * own.
 */
export class BrokerConnections implements AsyncDisposable {
  readonly #options: ResolvedKafkaOptions
  readonly #requestTimeoutMs: number
  readonly #connections = new Map<string, Promise<WireConnection>>()
  #closed = false

  constructor(options: ResolvedKafkaOptions, requestTimeoutMs: number) {
    this.#options = options
    this.#requestTimeoutMs = requestTimeoutMs
  }

  /** An open connection. BROKER_UNAVAILABLE (nothing was sent), AUTHORIZATION_FAILED, CLOSED. */
  async to(broker: BrokerAddress): Promise<Connection> {
    if (this.#closed) throw new StreamsError('CLOSED', 'the client is closed')
    const key = `${broker.host}:${broker.port}`
    const known = this.#connections.get(key)
    if (known !== undefined && (await known).isOpen) return asConnection(await known)
    // While we looked, another caller may have begun to open the next one.
    if (this.#connections.get(key) === known) this.#connections.delete(key)
    const opening = this.#connections.get(key) ?? this.#connect(key, broker)
    this.#connections.set(key, opening)
    return asConnection(await opening)
  }

  async #connect(key: string, broker: BrokerAddress): Promise<WireConnection> {
    let connection: WireConnection
    try {
      connection = await WireConnection.open(broker, this.#options, this.#requestTimeoutMs)
    } catch (error) {
      this.#connections.delete(key)
      throw connectionError(key, error)
    }
    if (!this.#closed) return connection
    connection.destroy()
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
        connection?.destroy()
      }),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The library's requests ask a connection for its `send`, and for nothing else. */
function asConnection(connection: WireConnection): Connection {
  return connection as unknown as Connection
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
