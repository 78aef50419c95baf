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
      text('error.code', reason.code),
      text('error.message', reason.message),
      text('source.topic', record.topic),
      text('source.partition', record.partition),
      text('source.offset', record.offset),
      text('failed.at', failedAtMs),
    ],
  }
}
