import { StreamsError } from '../errors.ts'
import { topicNames } from '../email/topic-names.ts'
import {
  type CommittedRecordsFetcher,
  type ConsumedRecord,
  type Header,
  type KafkaCluster,
  partitionKey,
  type TopicDescription,
  type TopicPartition,
} from '../runtime/ports.ts'

/** Where a record stands, and where one that failed stood. */
export interface RecordPlace extends TopicPartition {
  readonly offset: number
}

/** Reads `PARTITION/OFFSET`, a place in `email.dead-letter`. Throws CONFIGURATION_INVALID. */
export function parseDeadLetterId(text: string): RecordPlace {
  const match = /^(\d{1,9})\/(\d{1,15})$/.exec(text)
  if (match) {
    const [, partition, offset] = match
    return { topic: topicNames.deadLetter, partition: Number(partition), offset: Number(offset) }
  }
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `${JSON.stringify(text)} is not PARTITION/OFFSET such as 3/17: see mailonce dead-letters list`,
  )
}

export function deadLetterId({ partition, offset }: ConsumedRecord): string {
  return `${partition}/${offset}`
}

/** Headers that a dead letter has more than the record that it was, in their order: they come last. */
const addedHeaders = [
  'error.code',
  'error.message',
  'source.topic',
  'source.partition',
  'source.offset',
  'failed.at',
]

/** A dead letter taken apart: the record that it was, and why it is here. */
export interface DeadLetter {
  readonly source: RecordPlace
  readonly code: string
  readonly message: string
  readonly failedAtMs: number
  /** As received, a trace added where there was none. */
  readonly headers: readonly Header[]
}

/** Undefined for what no processor wrote. Only the last headers are ours: a record may have had some of the same names. */
export function deadLetterOf({ headers }: ConsumedRecord): DeadLetter | undefined {
  const added = headers.slice(-addedHeaders.length)
  if (addedHeaders.some((key, index) => added[index]?.key !== key)) return undefined
  const [code, message, topic, partition, offset, failedAt] = added.map(each => String(each.value))
  return {
    source: { topic: String(topic), partition: Number(partition), offset: Number(offset) },
    code: code ?? '',
    message: message ?? '',
    failedAtMs: Number(failedAt),
    headers: headers.slice(0, -addedHeaders.length),
  }
}

/** Every committed record of a topic, partition by partition. */
export async function readTopic(
  cluster: KafkaCluster,
  { name: topic, partitions }: TopicDescription,
): Promise<ConsumedRecord[]> {
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  const [starts, ends] = [
    await cluster.admin.startOffsets(all),
    await cluster.admin.endOffsets(all),
  ]
  const lists = await Promise.all(
    all.map(async at => {
      const start = starts.get(partitionKey(at)) ?? 0
      return readRange(cluster, { ...at, offset: start }, ends.get(partitionKey(at)) ?? 0)
    }),
  )
  return lists.flat()
}

/** The committed record at this place; undefined where there is none. */
export async function readRecord(
  cluster: KafkaCluster,
  place: RecordPlace,
): Promise<ConsumedRecord | undefined> {
  const [start, end] = [
    (await cluster.admin.startOffsets([place])).get(partitionKey(place)) ?? 0,
    (await cluster.admin.endOffsets([place])).get(partitionKey(place)) ?? 0,
  ]
  if (place.offset < start || place.offset >= end) return undefined
  const [record] = await readRange(cluster, place, place.offset + 1)
  return record?.offset === place.offset ? record : undefined
}

async function readRange(
  cluster: KafkaCluster,
  from: RecordPlace,
  end: number,
): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = []
  if (from.offset >= end) return records
  await using fetcher = cluster.createFetcher({
    maxWaitMs: 500,
    maxBytesPerPartition: 1024 * 1024,
    maxBytes: 16 * 1024 * 1024,
  })
  const ready = readiness(fetcher)
  fetcher.assign(from, from.offset)
  for (let next = from.offset; next < end;) {
    await ready()
    for (const batch of fetcher.poll()) {
      records.push(...batch.records.filter(each => each.offset < end))
      next = batch.nextOffset
    }
  }
  return records
}

/** Waits until the fetcher may have something new since the last time. */
function readiness(fetcher: CommittedRecordsFetcher): () => Promise<void> {
  let news = Promise.withResolvers<void>()
  fetcher.onReady(() => news.resolve())
  return async () => {
    await news.promise
    news = Promise.withResolvers<void>()
  }
}
