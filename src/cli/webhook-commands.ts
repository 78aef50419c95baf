import { userInfo } from 'node:os'
import { systemClock } from '../clock.ts'
import { type DisabledUrl, disabledUrlSerde } from '../email/disabled-urls.ts'
import { topicNames } from '../email/topic-names.ts'
import { StreamsError } from '../errors.ts'
import { systemRandom } from '../random.ts'
import type { KafkaCluster, TopicDescription } from '../runtime/ports.ts'
import { webhookEndpoint } from '../sinks/webhook-url.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import type { Invocation } from './command.ts'
import { openCluster } from './connections.ts'
import { readTopic } from './dead-letters.ts'
import { publishInTransaction } from './publish-in-transaction.ts'
import { textTable } from './text-table.ts'

/** `webhooks list`: the latest first. */
export async function webhooksListCommand(invocation: Invocation): Promise<number> {
  const { configuration, flags, terminal } = invocation
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration.values, resources)
  const rows = [...(await readDisabled(cluster))]
    .toSorted(([, a], [, b]) => b.atMs - a.atMs)
    .map(([url, { atMs, by, reason }]) => ({
      url,
      since: new Date(atMs).toISOString(),
      by,
      reason,
    }))
  const lines = flags.has('json')
    ? rows.map(row => JSON.stringify(row))
    : rows.length === 0
      ? ['no URL is disabled']
      : textTable(
          ['url', 'since', 'by', 'why'],
          rows.map(row => [row.url, row.since, row.by, row.reason]),
        )
  for (const line of lines) terminal.print(line)
  return 0
}

/** `webhooks enable`. */
export async function webhooksEnableCommand(invocation: Invocation): Promise<number> {
  const { configuration, argument: url, terminal } = invocation
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration.values, resources)
  if (!(await readDisabled(cluster)).has(url))
    throw new StreamsError(
      'REQUEST_UNKNOWN',
      `${url} is not disabled: mailonce webhooks list shows what is, letter by letter`,
    )
  await publish(cluster, url, null)
  terminal.print(`${url}: gets webhooks`)
  return 0
}

/** `webhooks disable`. */
export async function webhooksDisableCommand(invocation: Invocation): Promise<number> {
  const { configuration, argument: url, flags, terminal } = invocation
  const endpoint = webhookEndpoint(url, true)
  if (typeof endpoint === 'string') throw new StreamsError('CONFIGURATION_INVALID', endpoint)
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration.values, resources)
  await publish(cluster, url, {
    reason: flags.get('why')?.[0] ?? '',
    by: flags.get('by')?.[0] ?? terminal.environment['USER'] ?? userInfo().username,
    atMs: systemClock.nowMs(),
  })
  terminal.print(`${url}: gets no webhooks`)
  return 0
}

async function readDisabled(cluster: KafkaCluster): Promise<ReadonlyMap<string, DisabledUrl>> {
  const disabled = new Map<string, DisabledUrl>()
  for (const { key, value } of await readTopic(cluster, await describe(cluster))) {
    const url = key?.toString() ?? ''
    if (value === null) disabled.delete(url)
    else disabled.set(url, disabledUrlSerde.deserialize(value))
  }
  return disabled
}

async function publish(
  cluster: KafkaCluster,
  url: string,
  disabled: DisabledUrl | null,
): Promise<void> {
  const { partitions } = await describe(cluster)
  const key = Buffer.from(url)
  // A random id: two calls must not fence each other, and the later word counts.
  const transactionalId = `mailonce-webhooks-${systemRandom.uuid()}`
  await using producer = cluster.createProducer({ transactionalId, transactionTimeoutMs: 30_000 })
  await producer.init()
  await publishInTransaction(producer, [
    {
      topic: topicNames.webhooksDisabled,
      partition: partitionForKey(key, partitions),
      key,
      value: disabled && disabledUrlSerde.serialize(disabled),
      headers: [],
      timestampMs: systemClock.nowMs(),
    },
  ])
}

async function describe(cluster: KafkaCluster): Promise<TopicDescription> {
  const { webhooksDisabled } = topicNames
  const description = (await cluster.admin.describeTopics([webhooksDisabled])).get(webhooksDisabled)
  if (description) return description
  throw new StreamsError(
    'TOPIC_MISSING',
    `${webhooksDisabled} does not exist: make it with mailonce topics create`,
  )
}
