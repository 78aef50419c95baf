import { type Clock, sleep } from '../clock.ts'
import { describeError, StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { emptyWhenForbidden } from './internal-topics.ts'
import type { ClusterAdmin } from './ports.ts'
import { isPassing } from './restore.ts'
import type { RuntimeMetrics } from './runtime-metrics.ts'
import type { Task } from './task.ts'
import type { TopicCatalog } from './topic-catalog.ts'

const everyMs = 60_000
/** Share of the retention from which on a lag is warned of. */
const warnFrom = 0.5

export interface TopicWatchOptions {
  readonly admin: ClusterAdmin
  readonly catalog: TopicCatalog
  /** Topics of global tables: whoever reads them reads them anew when they are made again. */
  readonly tableTopics: ReadonlySet<string>
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RuntimeMetrics
  readonly tasks: () => readonly Task[]
  readonly signal: AbortSignal
}

/**
 * Looks at the topics once a minute, because nobody tells: a topic that has other partitions than at the start, or was made again, no
 * longer fits the stores; and input that is not read before its retention ends is deleted unread. Resolves when the signal
 * aborts, rejects with TOPIC_MISMATCH.
 */
export async function watchTopics(options: TopicWatchOptions): Promise<void> {
  const { clock, log, signal } = options
  for (;;) {
    await sleep(clock, everyMs, signal)
    if (signal.aborted) return
    try {
      await checkPartitions(options)
      await compareWithRetention(options)
    } catch (error) {
      if (!isPassing(error)) throw error
      log.warn({ event: 'topics-unwatched' }, describeError(error))
    }
  }
}

async function checkPartitions({ admin, catalog, tableTopics }: TopicWatchOptions): Promise<void> {
  const now = await admin.describeTopics(catalog.names)
  for (const name of catalog.names) {
    const before = catalog.describe(name)
    const found = now.get(name)
    // A topic that is not named may only be unknown to the broker that was asked: whoever reads it keeps asking.
    if (found === undefined) continue
    if (tableTopics.has(name) && found.partitions >= before.partitions) continue
    if (found.topicId !== before.topicId)
      throw new StreamsError(
        'TOPIC_MISMATCH',
        `${name} was deleted and made again while it was in use: stop everything, and bring the old one back`,
      )
    if (found.partitions !== before.partitions)
      throw new StreamsError(
        'TOPIC_MISMATCH',
        `${name} has ${found.partitions} partitions now, it had ${before.partitions} when this instance started: records would meet stores that do not know them. State lies by partition, so the count of a topic in use cannot change`,
      )
  }
}

async function compareWithRetention(options: TopicWatchOptions): Promise<void> {
  const { admin, clock, log, metrics, tasks } = options
  const nowMs = clock.nowMs()
  const queues = tasks().flatMap(task =>
    [...task.queues].map(([topic, queue]) => ({ topic, partition: task.partition, queue })),
  )
  const names = [...new Set(queues.map(each => each.topic))]
  const configs = await admin.topicConfigs(names).catch(emptyWhenForbidden)
  metrics.retentionUsed.clear()
  for (const { topic, partition, queue } of queues) {
    const retentionMs = retentionOf(configs.get(topic))
    const [oldest] = queue.peek(1)
    const ageMs = oldest === undefined ? 0 : Math.max(0, nowMs - oldest.timestampMs)
    const used = ageMs / retentionMs
    metrics.retentionUsed.labels({ topic, partition }).set(used)
    if (used < warnFrom) continue
    log.warn(
      { event: 'lag-near-retention', topic, partition, ageMs, retentionMs },
      `${topic}/${partition}: the oldest record that is not processed has used ${Math.round(100 * used)} % of its retention; after it, it is deleted unread`,
    )
  }
}

/** Infinity where nothing is deleted by age. */
function retentionOf(configs: ReadonlyMap<string, string> | undefined): number {
  const deletes = configs?.get('cleanup.policy')?.includes('delete') ?? true
  const milliseconds = Number(configs?.get('retention.ms') ?? -1)
  return deletes && milliseconds >= 0 ? milliseconds : Infinity
}
