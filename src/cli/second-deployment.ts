import { type Clock, sleep } from '../clock.ts'
import { headerNames } from '../email/record-headers.ts'
import { topicNames } from '../email/topic-names.ts'
import { StreamsError } from '../errors.ts'
import {
  type CommittedRecordsFetcher,
  type KafkaCluster,
  partitionKey,
  type TopicPartition,
} from '../runtime/ports.ts'

interface DeploymentCheck {
  readonly cluster: KafkaCluster
  readonly applicationId: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * A group that has never read would mail every request in the topic. If `email.dedup` has records of another application id, those
 * have been mailed: throws APPLICATION_ID_CHANGED. The first record of each partition is enough: whoever accepted it was here before us.
 */
export async function refuseSecondDeployment(check: DeploymentCheck): Promise<void> {
  const { cluster, applicationId, clock, signal } = check
  const { admin } = cluster
  const topics = await admin.describeTopics([topicNames.requested, topicNames.dedup])
  const partitionsOf = (topic: string): TopicPartition[] =>
    Array.from({ length: topics.get(topic)?.partitions ?? 0 }, (_, partition) => ({
      topic,
      partition,
    }))
  const committed = await admin.committedOffsets(applicationId, partitionsOf(topicNames.requested))
  if (committed.size > 0) return
  await using fetcher = cluster.createFetcher({
    maxWaitMs: 100,
    maxBytesPerPartition: 64 * 1024,
    maxBytes: 1024 * 1024,
  })
  for (const id of await firstApplicationIds(cluster, fetcher, partitionsOf(topicNames.dedup), {
    clock,
    signal,
  }))
    if (id !== applicationId)
      throw new StreamsError(
        'APPLICATION_ID_CHANGED',
        `${topicNames.dedup} has requests that the application '${id}' has accepted, and '${applicationId}' has never read here: it would mail them a second time. Start with --application-id ${id}; or, if the other one is gone for good and everything is to be mailed again, with --take-over`,
      )
}

/** Of the first committed record of each partition; reading ends where the topic ended when it began. */
async function firstApplicationIds(
  { admin }: KafkaCluster,
  fetcher: CommittedRecordsFetcher,
  partitions: readonly TopicPartition[],
  { clock, signal }: Pick<DeploymentCheck, 'clock' | 'signal'>,
): Promise<ReadonlySet<string>> {
  const starts = await admin.startOffsets(partitions)
  const ends = await admin.endOffsets(partitions)
  const open = new Set<string>()
  const found = new Set<string>()
  for (const at of partitions) {
    const key = partitionKey(at)
    const start = starts.get(key) ?? 0
    if (start >= (ends.get(key) ?? 0)) continue
    open.add(key)
    fetcher.assign(at, start)
  }
  while (open.size > 0 && !signal.aborted) {
    const batches = fetcher.poll()
    for (const batch of batches) {
      const key = partitionKey(batch)
      const [first] = batch.records
      const id = first?.headers.find(each => each.key === headerNames.applicationId)?.value
      if (id) found.add(id.toString('utf8'))
      if (first === undefined && batch.nextOffset < (ends.get(key) ?? 0)) continue
      open.delete(key)
      fetcher.unassign(batch)
    }
    if (batches.length === 0) await sleep(clock, 20, signal)
  }
  return found
}
