import { hash } from 'node:crypto'

import type { DeadLetterReason } from '../effects/effect.ts'
import type { ConsumedRecord, Header, ProducedRecord } from './ports.ts'
import type { TaskContext } from './task-context.ts'

/** What a dead letter keeps of the record that it was. */
type FailedRecord = Omit<ConsumedRecord, 'timestampMs'>

/** Writes a dead letter into the active cycle, counts it and tells a person. */
export function toDeadLetters(
  context: Pick<TaskContext, 'topology' | 'catalog' | 'clock' | 'activeCycle' | 'metrics' | 'log'>,
  record: FailedRecord,
  reason: DeadLetterReason,
): void {
  const { catalog, clock, metrics, log } = context
  const { topic, partition, offset } = record
  const { deadLetterTopic } = context.topology
  const partitions = catalog.partitions(deadLetterTopic)
  context
    .activeCycle()
    .produce(deadLetter(deadLetterTopic, partitions, record, reason, clock.nowMs()))
  metrics.deadLetters.labels({ code: reason.code }).inc()
  log.warn({ event: 'dead-letter', topic, partition, offset, code: reason.code }, reason.message)
}

const text = (key: string, value: string | number): Header => ({
  key,
  value: Buffer.from(String(value)),
})

/** The record as it was received, its bytes untouched and its own headers first, with where it first stood and why it is here. */
export function deadLetter(
  topic: string,
  partitions: number,
  record: FailedRecord,
  reason: DeadLetterReason,
  failedAtMs: number,
): ProducedRecord {
  return {
    topic,
    partition: record.partition % partitions,
    key: record.key,
    value: record.value,
    timestampMs: failedAtMs,
    headers: [
      ...record.headers,
      ...traceHeaders(record),
      text('error.code', reason.code),
      text('error.message', reason.message),
      text('source.topic', record.topic),
      text('source.partition', record.partition),
      text('source.offset', record.offset),
      text('failed.at', failedAtMs),
    ],
  }
}

/** W3C Trace Context: carried if there is one, else made from the record's place, the same on every replay. */
function traceHeaders({ topic, partition, offset, headers }: FailedRecord): Header[] {
  if (headers.some(each => each.key === 'traceparent')) return []
  const digest = hash('sha256', `${topic}/${partition}/${offset}`)
  return [text('traceparent', `00-${digest.slice(0, 32)}-${digest.slice(32, 48)}-01`)]
}
