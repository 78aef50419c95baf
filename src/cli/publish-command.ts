import { systemClock } from '../clock.ts'
import { type EffectCommand, effectCommandSerde } from '../effects/outbox.ts'
import { nameOf } from '../email/identity.ts'
import { StreamsError } from '../errors.ts'
import { systemRandom } from '../random.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import type { Configuration } from './configuration.ts'
import { openCluster } from './connections.ts'
import { publishInTransaction } from './publish-in-transaction.ts'

/** Hands a command to whoever owns the request, as a record. Resolves when it is committed: not yet when it is carried out. */
export async function publishCommand(
  configuration: Configuration,
  command: EffectCommand,
): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration, resources)
  const topic = `${configuration.applicationId}-send-commands`
  const description = (await cluster.admin.describeTopics([topic])).get(topic)
  if (description === undefined) {
    throw new StreamsError(
      'TOPIC_MISSING',
      `${topic} does not exist: no instance of this --application-id has ever run on this cluster`,
    )
  }
  const key = Buffer.from(nameOf(command.identity).requestId)
  const transactionalId = `mailonce-command-${systemRandom.uuid()}`
  const producer = resources.use(
    cluster.createProducer({ transactionalId, transactionTimeoutMs: 30_000 }),
  )
  await producer.init()
  // Twice says the same as once.
  await publishInTransaction(producer, [
    {
      topic,
      partition: partitionForKey(key, description.partitions),
      key,
      value: effectCommandSerde.serialize(command),
      headers: [],
      timestampMs: systemClock.nowMs(),
    },
  ])
}
