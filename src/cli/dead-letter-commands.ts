import { userInfo } from 'node:os'
import { systemClock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import { topicNames } from '../email/topic-names.ts'
import type { ConsumedRecord, KafkaCluster } from '../runtime/ports.ts'
import type { Invocation } from './command.ts'
import { openCluster } from './connections.ts'
import {
  type DeadLetter,
  deadLetterId,
  deadLetterOf,
  parseDeadLetterId,
  readRecord,
  readTopic,
} from './dead-letters.ts'
import { replayDeadLetter } from './replay-dead-letter.ts'
import { textTable } from './text-table.ts'

interface Found {
  readonly record: ConsumedRecord
  readonly letter: DeadLetter
}

/** `dead-letters list`: the oldest first. */
export async function deadLettersListCommand(invocation: Invocation): Promise<number> {
  const { configuration, flags, terminal } = invocation
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration.values, resources)
  const found = (await readDeadLetters(cluster)).toSorted(
    (a, b) => a.letter.failedAtMs - b.letter.failedAtMs,
  )
  const rows = found.map(rowOf)
  const lines = flags.has('json')
    ? rows.map(row => JSON.stringify(row))
    : rows.length === 0
      ? ['there are no dead letters']
      : textTable(
          ['id', 'failed at', 'from', 'key', 'error'],
          rows.map(row => [
            row.id,
            row.failedAt,
            row.from,
            row.key ?? '',
            `${row.code}: ${row.message}`,
          ]),
        )
  for (const line of lines) terminal.print(line)
  return 0
}

/** `dead-letters show`. */
export async function deadLettersShowCommand(invocation: Invocation): Promise<number> {
  const { configuration, terminal, argument } = invocation
  const place = parseDeadLetterId(argument)
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration.values, resources)
  const { record, letter } = await find(cluster, place)
  const { id, failedAt, from, code, message } = rowOf({ record, letter })
  terminal.print(`${id}: ${code}: ${message}`)
  terminal.print(`  failed at: ${failedAt}`)
  terminal.print(`  from: ${from}`)
  terminal.print(`  key: ${record.key?.toString('base64') ?? 'null'}`)
  terminal.print(`  value: ${record.value?.toString('base64') ?? 'null'}`)
  for (const { key, value } of letter.headers)
    terminal.print(`  header ${JSON.stringify(key)}: ${value?.toString('base64') ?? 'null'}`)
  return 0
}

/** `dead-letters replay`. */
export async function deadLettersReplayCommand(invocation: Invocation): Promise<number> {
  const { configuration, flags, terminal, argument } = invocation
  const place = parseDeadLetterId(argument)
  await using resources = new AsyncDisposableStack()
  const cluster = await openCluster(configuration.values, resources)
  const { record, letter } = await find(cluster, place)
  await replayDeadLetter({
    cluster,
    applicationId: configuration.values.applicationId,
    record,
    letter,
    by: flags.get('by')?.[0] ?? terminal.environment['USER'] ?? userInfo().username,
    again: flags.has('again'),
    nowMs: systemClock.nowMs(),
  })
  terminal.print(`${deadLetterId(record)}: replayed to ${letter.source.topic}`)
  return 0
}

async function readDeadLetters(cluster: KafkaCluster): Promise<Found[]> {
  const { deadLetter } = topicNames
  const description = (await cluster.admin.describeTopics([deadLetter])).get(deadLetter)
  if (description === undefined) {
    throw new StreamsError(
      'TOPIC_MISSING',
      `${deadLetter} does not exist: make it with mailonce topics create`,
    )
  }
  return (await readTopic(cluster, description)).flatMap(record => {
    const letter = deadLetterOf(record)
    return letter ? [{ record, letter }] : []
  })
}

async function find(
  cluster: KafkaCluster,
  place: ReturnType<typeof parseDeadLetterId>,
): Promise<Found> {
  const topic = (await cluster.admin.describeTopics([place.topic])).get(place.topic)
  const exists = topic !== undefined && place.partition < topic.partitions
  const record = exists ? await readRecord(cluster, place) : undefined
  const letter = record && deadLetterOf(record)
  if (record && letter) return { record, letter }
  throw new StreamsError(
    'REQUEST_UNKNOWN',
    `${place.partition}/${place.offset} is no dead letter: see mailonce dead-letters list`,
  )
}

function rowOf({ record, letter }: Found): {
  readonly id: string
  readonly failedAt: string
  readonly from: string
  readonly key: string | null
  readonly code: string
  readonly message: string
} {
  const { source, code, message, failedAtMs } = letter
  const date = new Date(failedAtMs)
  return {
    id: deadLetterId(record),
    failedAt: Number.isNaN(date.getTime()) ? '' : date.toISOString(),
    from: `${source.topic}/${source.partition}/${source.offset}`,
    key: record.key?.toString('utf8') ?? null,
    code,
    message,
  }
}
