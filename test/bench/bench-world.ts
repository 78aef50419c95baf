import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { systemClock } from '../../src/clock.ts'
import { createTopics } from '../../src/cli/create-topics.ts'
import { openSerdes } from '../../src/cli/open-serdes.ts'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { schemaText, schemaTopics, subjectOf } from '../../src/email/schemas.ts'
import type { EmailSerdes } from '../../src/email/topics.ts'
import { connectKafka } from '../../src/kafka/connect-kafka.ts'
import { SchemaRegistry } from '../../src/kafka/registry.ts'
import { silentLogger } from '../../src/log.ts'
import type { KafkaCluster } from '../../src/runtime/ports.ts'

/** A fresh environment with topics and schemas, for one scenario. */
export interface BenchWorld extends AsyncDisposable {
  readonly kafka: string
  readonly registryUrl: string
  readonly cluster: KafkaCluster
  readonly serdes: EmailSerdes
  /** For state directories and files of this run. */
  readonly directory: string
}

const dayMs = 24 * 3_600_000

export async function openBenchWorld(): Promise<BenchWorld> {
  await using resources = new AsyncDisposableStack()
  const environment = resources.use(
    await DevEnvironment.start({ environment: process.env, kafka: { heapMb: 768 } }),
  )
  const directory = await mkdtemp(join(tmpdir(), 'mailonce-bench-'))
  resources.defer(() => rm(directory, { recursive: true, force: true }))
  const kafka = environment.kafka.bootstrapServers()
  const cluster = resources.use(connectTo(kafka))
  await createTopics({ admin: cluster.admin, dedupWindowMs: 7 * dayMs, print: () => undefined })
  const cacheFile = join(directory, 'schemas.json')
  const registry = await SchemaRegistry.open({
    url: environment.registryUrl,
    clock: systemClock,
    cacheFile,
  })
  for (const topic of schemaTopics) await registry.register(subjectOf(topic), schemaText(topic))
  const registryUrl = environment.registryUrl
  const serdes = await openSerdes({ registryUrl, cacheFile, clock: systemClock })
  const parts = resources.move()
  return {
    kafka,
    registryUrl,
    cluster,
    serdes,
    directory,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

export function connectTo(kafka: string): KafkaCluster {
  return connectKafka({
    bootstrapBrokers: kafka.split(','),
    clientId: 'mailonce-bench',
    clock: systemClock,
    log: silentLogger,
  })
}
