import { StreamsError } from '../errors.ts'
import type { EmailRequested } from '../email/records.ts'
import { topicNames } from '../email/topic-names.ts'
import type { Random } from '../random.ts'
import type { ProducedRecord, TransactionalProducer } from '../runtime/ports.ts'
import type { Serde } from '../serde.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import { publishInTransaction } from './publish-in-transaction.ts'

/** What a record costs beyond key, value and headers, rounded up: batch header, lengths, time and offset. */
const overheadBytes = 200

export interface RequestPublisherOptions {
  /** Initialised already. */
  readonly producer: TransactionalProducer
  readonly serde: Serde<EmailRequested>
  /** Of `email.requested`. */
  readonly partitions: number
  /** The topic's `max.message.bytes`. */
  readonly recordBytesMax: number
  readonly random: Random
  readonly nowMs: () => number
}

/** Writes requests to `email.requested`, each group in a transaction of its own. */
export class RequestPublisher {
  readonly #options: RequestPublisherOptions

  constructor(options: RequestPublisherOptions) {
    this.#options = options
  }

  /** The record of a request. Throws REQUEST_INVALID when the topic takes no record of this size. */
  toRecord(request: EmailRequested): ProducedRecord {
    const { serde, partitions, recordBytesMax, random, nowMs } = this.#options
    const key = Buffer.from(request.requestId)
    const value = serde.serialize(request)
    const bytes = key.length + value.length + overheadBytes
    if (bytes > recordBytesMax) {
      throw new StreamsError(
        'REQUEST_INVALID',
        `needs ${bytes} bytes as a record, more than the ${recordBytesMax} that ${topicNames.requested} takes ` +
          '(max.message.bytes): make the attachments smaller or raise the limit',
      )
    }
    return {
      topic: topicNames.requested,
      partition: partitionForKey(key, partitions),
      key,
      value,
      headers: [{ key: 'traceparent', value: Buffer.from(newTraceparent(random)) }],
      timestampMs: nowMs(),
    }
  }

  /**
   * All or none of them. A group whose fate is not known is written again: a repeated request is a duplicate, and a duplicate is
   * never mailed.
   */
  async publish(records: readonly ProducedRecord[]): Promise<void> {
    await publishInTransaction(this.#options.producer, records)
  }
}

/** W3C Trace Context, level 1, not sampled. */
function newTraceparent(random: Random): string {
  const traceId = random.uuid().replaceAll('-', '')
  const parentId = random.uuid().replaceAll('-', '').slice(-16)
  return `00-${traceId}-${parentId}-00`
}
