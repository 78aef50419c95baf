import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { COMPATIBILITY } from '@kafkajs/confluent-schema-registry/dist/constants.js'

import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'

/**
 * The registry client of `@kafkajs/confluent-schema-registry`, for what it can say: registering a schema. Its errors drop
 * the registry's error code, which alone tells an unknown schema from a registry that is not up; whoever needs that asks
 * with `RegistryHttp`.
 */
export class RegistryClient {
  readonly #registry: SchemaRegistry
  readonly #clock: Clock
  readonly #timeoutMs: number

  /** `host` is the root of the interface, without credentials. */
  constructor(
    host: string,
    credentials: { readonly username: string; readonly password: string } | undefined,
    clock: Clock,
    timeoutMs: number,
  ) {
    const auth = credentials === undefined ? {} : { auth: credentials }
    this.#registry = new SchemaRegistry({
      host,
      clientId: 'mailonce',
      retry: { retries: 0 },
      ...auth,
    })
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** Rejects with the package's errors: `status` is the registry's HTTP status where it answered. */
  async register(subject: string, schema: string): Promise<number> {
    const compatibility = COMPATIBILITY.FULL_TRANSITIVE
    const { id } = await this.#inTime(
      this.#registry.register({ type: SchemaType.AVRO, schema }, { subject, compatibility }),
    )
    return id
  }

  /** The package waits for ever for a registry that accepts and says nothing. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const cancel = this.#clock.schedule(this.#timeoutMs, () =>
      late.reject(new StreamsError('REGISTRY_UNAVAILABLE', 'no answer in time')),
    )
    try {
      return await Promise.race([answer, late.promise])
    } finally {
      cancel()
    }
  }
}

/** HTTP status of an error of the package; undefined when the registry did not answer. */
export function statusOf(error: unknown): number | undefined {
  const { status } = (error ?? {}) as { status?: unknown }
  return typeof status === 'number' ? status : undefined
}
