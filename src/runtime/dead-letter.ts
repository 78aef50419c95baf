import { hash } from 'node:crypto'

import type { ConsumedRecord, Header, ProducedRecord } from './ports.ts'

/** Why a record could not be processed. */
export interface DeadLetterReason {
  readonly code: string
  readonly message: string
}

const text = (key: string, value: string | number): Header => ({
  key,
  value: Buffer.from(String(value)),
})

/** The record as it was received, its bytes untouched and its own headers first, with where it first stood and why it is here. */
export function deadLetter(
  topic: string,
  partitions: number,
  record: ConsumedRecord,
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
function traceHeaders({ topic, partition, offset, headers }: ConsumedRecord): Header[] {
  if (headers.some(each => each.key === 'traceparent')) return []
  const digest = hash('sha256', `${topic}/${partition}/${offset}`)
  return [text('traceparent', `00-${digest.slice(0, 32)}-${digest.slice(32, 48)}-01`)]
}
