import { systemClock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { EmailRequested } from '../email/records.ts'
import { schemaText, subjectOf } from '../email/schemas.ts'
import { topicNames } from '../email/topic-names.ts'
import { createAvroSerde } from '../kafka/avro-serde.ts'
import { systemRandom } from '../random.ts'
import type { Configuration } from './configuration.ts'
import { openCluster, openRegistry } from './connections.ts'
import { RequestPublisher } from './request-publisher.ts'

/** A broker's own default for `message.max.bytes`. */
const recordBytesDefault = 1_048_588

/**
 * Connects for `send`. Throws TOPIC_MISSING, SCHEMA_MISSING, BROKER_UNAVAILABLE, REGISTRY_UNAVAILABLE, each saying what to do. Closing is
 * left to `resources`.
 */
export async function openPublisher(
  configuration: Configuration,
  resources: AsyncDisposableStack,
): Promise<RequestPublisher> {
  const { requested } = topicNames
  const registry = await openRegistry(configuration, resources)
  const cluster = await openCluster(configuration, resources)
  const topic = (await cluster.admin.describeTopics([requested])).get(requested)
  if (topic === undefined) {
    throw new StreamsError(
      'TOPIC_MISSING',
      `${requested} does not exist: make it with mailonce topics create`,
    )
  }
  const configs = (await cluster.admin.topicConfigs([requested])).get(requested)
  const serde = await createAvroSerde<EmailRequested>({
    registry,
    subject: subjectOf(requested),
    schemaText: schemaText(requested),
  })
  // A random id: two calls of `send` must not fence each other, and a request that is written twice is a duplicate.
  const transactionalId = `mailonce-send-${systemRandom.uuid()}`
  const producer = resources.use(
    cluster.createProducer({ transactionalId, transactionTimeoutMs: 30_000 }),
  )
  await producer.init()
  return new RequestPublisher({
    producer,
    serde,
    partitions: topic.partitions,
    recordBytesMax: Number(configs?.get('max.message.bytes') ?? recordBytesDefault),
    random: systemRandom,
    nowMs: () => systemClock.nowMs(),
  })
}
