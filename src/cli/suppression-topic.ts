import { systemClock } from '../clock.ts'
import type { EmailSuppressed } from '../email/records.ts'
import { schemaText, subjectOf } from '../email/schemas.ts'
import { suppressionKey } from '../email/suppression.ts'
import { topicNames } from '../email/topic-names.ts'
import { StreamsError } from '../errors.ts'
import { createAvroSerde } from '../kafka/avro-serde.ts'
import { systemRandom } from '../random.ts'
import type { KafkaCluster, TopicDescription } from '../runtime/ports.ts'
import type { Serde } from '../serde.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import type { Configuration } from './configuration.ts'
import { openCluster, openRegistry } from './connections.ts'
import { readTopic } from './dead-letters.ts'
import { publishInTransaction } from './publish-in-transaction.ts'

/** An entry of the list with its key. */
export type SuppressionEntry = EmailSuppressed & { readonly key: string }

/** The suppression list as an operator writes and reads it: through Kafka, from any machine. */
export class SuppressionTopic {
  readonly #configuration: Configuration

  constructor(configuration: Configuration) {
    this.#configuration = configuration
  }

  async put(entry: EmailSuppressed): Promise<void> {
    await using resources = new AsyncDisposableStack()
    const serde = await this.#serde(resources)
    const cluster = await openCluster(this.#configuration, resources)
    const { partitions } = await describe(cluster)
    const key = Buffer.from(suppressionKey(entry.address))
    await publish(cluster, key, serde.serialize(entry), [partitionForKey(key, partitions)])
  }

  /** In every partition: another client may have put it where its own partitioner says. */
  async remove(address: string): Promise<void> {
    await using resources = new AsyncDisposableStack()
    const cluster = await openCluster(this.#configuration, resources)
    const { partitions } = await describe(cluster)
    const key = Buffer.from(suppressionKey(address))
    await publish(cluster, key, null, [...Array(partitions).keys()])
  }

  async list(): Promise<readonly SuppressionEntry[]> {
    await using resources = new AsyncDisposableStack()
    const serde = await this.#serde(resources)
    const cluster = await openCluster(this.#configuration, resources)
    const values = new Map<string, Buffer | null>()
    for (const { partition, key, value } of await readTopic(cluster, await describe(cluster)))
      if (key !== null) values.set(`${partition}/${key.toString()}`, value)
    const entries = new Map<string, SuppressionEntry>()
    for (const [place, value] of values) {
      if (value === null) continue
      if (!serde.isReady(value)) await serde.prepare(value)
      const key = place.slice(place.indexOf('/') + 1)
      entries.set(key, { key, ...serde.deserialize(value) })
    }
    return [...entries.values()]
  }

  async #serde(resources: AsyncDisposableStack): Promise<Serde<EmailSuppressed>> {
    const registry = await openRegistry(this.#configuration, resources)
    const { suppressed } = topicNames
    return createAvroSerde<EmailSuppressed>({
      registry,
      subject: subjectOf(suppressed),
      schemaText: schemaText(suppressed),
    })
  }
}

async function describe(cluster: KafkaCluster): Promise<TopicDescription> {
  const { suppressed } = topicNames
  const description = (await cluster.admin.describeTopics([suppressed])).get(suppressed)
  if (description) return description
  throw new StreamsError(
    'TOPIC_MISSING',
    `${suppressed} does not exist: make it with mailonce topics create`,
  )
}

/** Twice says the same as once. */
async function publish(
  cluster: KafkaCluster,
  key: Buffer,
  value: Buffer | null,
  partitions: readonly number[],
): Promise<void> {
  await using producer = cluster.createProducer({
    transactionalId: `mailonce-suppress-${systemRandom.uuid()}`,
    transactionTimeoutMs: 30_000,
  })
  await producer.init()
  await publishInTransaction(
    producer,
    partitions.map(partition => ({
      topic: topicNames.suppressed,
      partition,
      key,
      value,
      headers: [],
      timestampMs: systemClock.nowMs(),
    })),
  )
}
