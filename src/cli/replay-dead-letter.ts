import { StreamsError } from '../errors.ts'
import { topicNames } from '../email/topic-names.ts'
import type { ConsumedRecord, KafkaCluster, TopicDescription } from '../runtime/ports.ts'
import { type DeadLetter, deadLetterId, readTopic } from './dead-letters.ts'

export interface ReplayOptions {
  readonly cluster: KafkaCluster
  readonly applicationId: string
  readonly record: ConsumedRecord
  readonly letter: DeadLetter
  readonly by: string
  /** Although it was replayed before. */
  readonly again: boolean
  readonly nowMs: number
}

/** What is remembered of a replay, under the dead letter's place. */
interface Replay {
  readonly by: string
  readonly at: string
}

/**
 * Writes a dead letter to where it came from, and in the same transaction the note that it was. One transactional id for the
 * application: whoever comes later fences whoever is still in between reading the notes and writing, so of two replays of one dead
 * letter one is refused. Throws DECISION_REFUSED for one that was replayed before.
 */
export async function replayDeadLetter(options: ReplayOptions): Promise<void> {
  const { cluster, applicationId, record, letter, by, again, nowMs } = options
  const source = await describe(cluster, letter.source.topic)
  const notes = await notesTopic(cluster, applicationId)
  const { topicId } = await describe(cluster, topicNames.deadLetter)
  await using producer = cluster.createProducer({
    transactionalId: `${applicationId}-dead-letter-replay`,
    transactionTimeoutMs: 30_000,
  })
  // Before the notes are read: a replay that is under way has ended then, or never will.
  await producer.init()
  const key = Buffer.from(`${topicId}/${deadLetterId(record)}`)
  const note = (await readTopic(cluster, notes)).findLast(each => each.key?.equals(key))
  if (note?.value && !again) {
    const replay = JSON.parse(note.value.toString('utf8')) as Replay
    throw new StreamsError(
      'DECISION_REFUSED',
      `${deadLetterId(record)} was replayed by ${replay.by} at ${replay.at}: --again replays it once more`,
    )
  }
  const replay: Replay = { by, at: new Date(nowMs).toISOString() }
  const link = `${record.topic}/${deadLetterId(record)}`
  await producer.send([
    {
      topic: source.name,
      // Where it stood, so that it meets the same task: topics of a topology do not change their number of partitions.
      partition: letter.source.partition % source.partitions,
      key: record.key,
      value: record.value,
      headers: [...letter.headers, { key: 'replayed.from', value: Buffer.from(link) }],
      timestampMs: nowMs,
    },
    {
      topic: notes.name,
      partition: 0,
      key,
      value: Buffer.from(JSON.stringify(replay)),
      headers: [],
      timestampMs: nowMs,
    },
  ])
  await producer.commit()
}

async function describe(cluster: KafkaCluster, name: string): Promise<TopicDescription> {
  const description = (await cluster.admin.describeTopics([name])).get(name)
  if (description) return description
  throw new StreamsError('TOPIC_MISSING', `${name} does not exist`)
}

/** One partition, compacted: a note is kept for as long as its dead letter, and longer. */
async function notesTopic(cluster: KafkaCluster, applicationId: string): Promise<TopicDescription> {
  const name = `${applicationId}-dead-letter-replays`
  const configs = { 'cleanup.policy': 'compact' }
  await cluster.admin.createTopics([{ name, partitions: 1, configs }])
  return describe(cluster, name)
}
