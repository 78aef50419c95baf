import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export interface SaslOptions {
  readonly mechanism: SaslMechanism
  readonly username: string
  readonly password: string
}

export interface KafkaOptions {
  /** `host:port` of some brokers; the rest is learned from them. */
  readonly bootstrapBrokers: readonly string[]
  /** Shown in the broker's logs and quotas. */
  readonly clientId: string
  readonly clock: Clock
  readonly log: Logger
  /** Node's TLS options; `{}` trusts the system's authorities. Left out: clear text. */
  readonly tls?: TlsOptions
  readonly sasl?: SaslOptions
  /** Longest wait for a connection, milliseconds, 1 and more. @default 5000 */
  readonly connectTimeoutMs?: number
  /** Longest wait for one answer, and how long questions are asked again, milliseconds. @default 30000 */
  readonly requestTimeoutMs?: number
  /** Pause before an attempt after one that failed, milliseconds. @default 100 */
  readonly retryBackoffMs?: number
}

export type ResolvedKafkaOptions = Omit<
  Required<KafkaOptions>,
  'tls' | 'sasl' | 'bootstrapBrokers'
> &
  Pick<KafkaOptions, 'tls' | 'sasl'> & { readonly bootstrapBrokers: readonly BrokerAddress[] }

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

const defaults = Object.freeze({
  connectTimeoutMs: 5000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
})

/** Copies, fills in and checks. Throws CONFIGURATION_INVALID for what cannot be an address or a duration. */
export function resolveKafkaOptions(options: KafkaOptions): ResolvedKafkaOptions {
  const bootstrapBrokers = options.bootstrapBrokers.map(parseBroker)
  if (bootstrapBrokers.length === 0)
    throw invalid('no bootstrap broker: give at least one host:port')
  const resolved = { ...defaults, ...options, bootstrapBrokers }
  for (const name of ['connectTimeoutMs', 'requestTimeoutMs', 'retryBackoffMs'] as const)
    if (!(resolved[name] >= 1)) throw invalid(`${name} must be at least 1 ms: ${resolved[name]}`)
  return Object.freeze(resolved)
}

function parseBroker(text: string): BrokerAddress {
  const match = /^(?<host>\[[0-9a-fA-F:.]+\]|[^:\s/]+)(?::(?<port>\d{1,5}))?$/u.exec(text.trim())
  const host = match?.groups?.['host']?.replaceAll(/[[\]]/gu, '')
  const port = Number(match?.groups?.['port'] ?? 9092)
  if (host === undefined || port < 1 || port > 65_535)
    throw invalid(`not a broker's address: '${text}', expected host:port`)
  return { host, port }
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
