import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Admin } from '@platformatic/kafka'
import { systemClock } from '../../src/clock.ts'
import { openSerdes } from '../../src/cli/open-serdes.ts'
import { topicSpecifications } from '../../src/cli/topic-specifications.ts'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { schemaText, schemaTopics, subjectOf } from '../../src/email/schemas.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import type { EmailSerdes } from '../../src/email/topics.ts'
import { SchemaRegistry } from '../../src/kafka/registry.ts'
import type { KafkaCluster } from '../../src/runtime/ports.ts'
import { connectTo, partitions } from './connect-to.ts'
import { peerSchemaText } from './peers.ts'

/** A fresh environment with schemas, and all topics but the first, for one scenario. */
export interface BenchWorld extends AsyncDisposable {
  readonly kafka: string
  readonly registryUrl: string
  readonly cluster: KafkaCluster
  readonly serdes: EmailSerdes
  /** Of `email.requested-value`. */
  readonly schemaId: number
  /** For state directories and files of this run. */
  readonly directory: string
}

const dayMs = 24 * 3_600_000
const specifications = topicSpecifications({ dedupWindowMs: 7 * dayMs, partitions })

export async function openBenchWorld(): Promise<BenchWorld> {
  await using resources = new AsyncDisposableStack()
  const environment = resources.use(
    await DevEnvironment.start({
      environment: process.env,
      kafka: { heapMb: 768, tunedFor: 'load' },
    }),
  )
  const directory = await mkdtemp(join(tmpdir(), 'mailonce-bench-'))
  resources.defer(() => rm(directory, { recursive: true, force: true }))
  const kafka = environment.kafka.bootstrapServers()
  const cluster = resources.use(connectTo(kafka))
  await cluster.admin.createTopics(
    specifications.filter(each => each.name !== topicNames.requested),
  )
  const cacheFile = join(directory, 'schemas.json')
  const registry = await SchemaRegistry.open({
    url: environment.registryUrl,
    clock: systemClock,
    cacheFile,
  })
  for (const topic of schemaTopics) await registry.register(subjectOf(topic), schemaText(topic))
  const schemaId = await registry.register(
    subjectOf(topicNames.requested),
    peerSchemaText() ?? schemaText(topicNames.requested),
  )
  const registryUrl = environment.registryUrl
  const serdes = await openSerdes({ registryUrl, cacheFile, clock: systemClock })
  const parts = resources.move()
  return {
    kafka,
    registryUrl,
    cluster,
    serdes,
    schemaId,
    directory,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** A topic of this run alone. */
export function createTopic({ cluster }: BenchWorld, name: string): Promise<void> {
  return cluster.admin.createTopics([{ name, partitions, configs: {} }])
}

/** The topics of the flow as they are before anything is sent, for a new application on a broker that is warm. */
export async function renewTopics({ kafka, cluster }: BenchWorld): Promise<void> {
  await deleteTopics(
    kafka,
    specifications.map(each => each.name),
  )
  await cluster.admin.createTopics(specifications)
}

/** Topics of a run that is over: their disk is needed for the next. */
export async function deleteTopics(kafka: string, names: readonly string[]): Promise<void> {
  const admin = new Admin({ clientId: 'mailonce-bench', bootstrapBrokers: kafka.split(',') })
  await admin.deleteTopics({ topics: [...names] })
  await admin.close()
}
