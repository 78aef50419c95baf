import type { Clock } from '../clock.ts'
import { schemaText, subjectOf, type SchemaTopic } from '../email/schemas.ts'
import { errorCodeOf } from '../errors.ts'
import type { EmailSerdes } from '../email/topics.ts'
import { createAvroSerde } from '../kafka/avro-serde.ts'
import { SchemaRegistry } from '../kafka/registry.ts'
import type { Serde } from '../serde.ts'

export interface OpenSerdesOptions {
  /** May hold user and password. */
  readonly registryUrl: string
  readonly cacheFile: string
  readonly clock: Clock
}

/** Their subjects may be missing altogether: they came after the first release. */
const laterTopics: ReadonlySet<SchemaTopic> = new Set(['email.suppressed'])

/**
 * Values of the contract's topics as the registry knows them. Where a deployment is there already, what came with this release is
 * registered, under the rule of its subject: an upgrade needs nobody to do that first. Throws SCHEMA_MISSING and REGISTRY_UNAVAILABLE.
 */
export async function openSerdes(options: OpenSerdesOptions): Promise<EmailSerdes> {
  const { registryUrl: url, cacheFile, clock } = options
  const registry = await SchemaRegistry.open({ url, cacheFile, clock })
  const known = <T>(topic: SchemaTopic): Promise<Serde<T>> =>
    createAvroSerde<T>({ registry, subject: subjectOf(topic), schemaText: schemaText(topic) })
  const serde = async <T>(topic: SchemaTopic): Promise<Serde<T>> => {
    try {
      return await known<T>(topic)
    } catch (missing) {
      if (errorCodeOf(missing) !== 'SCHEMA_MISSING') throw missing
      const { result } = await registry.check(subjectOf(topic), schemaText(topic))
      if (result !== 'compatible' && !(result === 'missing' && laterTopics.has(topic)))
        throw missing
      // Whoever may only read has it registered by somebody else, as the error says.
      await registry
        .register(subjectOf(topic), schemaText(topic))
        .catch(() => Promise.reject(missing))
      return known<T>(topic)
    }
  }
  return {
    requested: await serde('email.requested'),
    dedup: await serde('email.dedup'),
    sent: await serde('email.sent'),
    failed: await serde('email.failed'),
    callback: await serde('email.callback'),
    suppressed: await serde('email.suppressed'),
  }
}
