import type { Clock } from '../clock.ts'
import { schemaText, subjectOf, type SchemaTopic } from '../email/schemas.ts'
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

/** Values of the contract's topics as the registry knows them. Throws SCHEMA_MISSING and REGISTRY_UNAVAILABLE. */
export async function openSerdes(options: OpenSerdesOptions): Promise<EmailSerdes> {
  const { registryUrl: url, cacheFile, clock } = options
  const registry = await SchemaRegistry.open({ url, cacheFile, clock })
  const serde = async <T>(topic: SchemaTopic): Promise<Serde<T>> =>
    createAvroSerde<T>({ registry, subject: subjectOf(topic), schemaText: schemaText(topic) })
  return {
    requested: await serde('email.requested'),
    dedup: await serde('email.dedup'),
    sent: await serde('email.sent'),
    failed: await serde('email.failed'),
    callback: await serde('email.callback'),
    suppressed: await serde('email.suppressed'),
  }
}
