import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { connectKafka } from '../kafka/connect-kafka.ts'
import { SchemaRegistry } from '../kafka/registry.ts'
import { silentLogger } from '../log.ts'
import type { KafkaCluster } from '../runtime/ports.ts'
import type { Configuration } from './configuration.ts'
import { kafkaOptions } from './kafka-options.ts'

/** A person waits: what does not answer within this time is named instead. */
const patienceMs = 15_000

/** The cluster, for a command that ends. */
export async function openCluster(
  configuration: Configuration,
  resources: AsyncDisposableStack,
): Promise<KafkaCluster> {
  const options = await kafkaOptions(configuration, systemClock, silentLogger)
  return resources.use(connectKafka({ ...options, requestTimeoutMs: patienceMs }))
}

/** The registry, for a command that ends: what it says is kept until then. */
export async function openRegistry(
  configuration: Configuration,
  resources: AsyncDisposableStack,
): Promise<SchemaRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'mailonce-schemas-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  const cacheFile = join(folder, 'schemas.json')
  return SchemaRegistry.open({
    url: configuration.schemaRegistry.reveal(),
    clock: systemClock,
    cacheFile,
  })
}
