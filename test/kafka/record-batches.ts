import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka'
import { RecordBatchWriter } from '../../src/kafka/record-batch-writer.ts'
import { batchLayout } from '../../src/kafka/record-batch-format.ts'
import { SpareBuffers } from '../../src/kafka/spare-buffers.ts'
import type { ProducedRecord } from '../../src/runtime/ports.ts'

interface BatchFields {
  readonly baseOffset: number
  readonly producerId?: number
  /** Bits of the attributes: compression, LogAppendTime (8), transactional (16), control (32). */
  readonly attributes?: number
  readonly maxTimestampMs?: number
}

export function recordOf(value: string | null, more: Partial<ProducedRecord> = {}): ProducedRecord {
  const bytes = value === null ? null : Buffer.from(value)
  return {
    topic: 't',
    partition: 0,
    key: bytes,
    value: bytes,
    headers: [],
    timestampMs: 1000,
    ...more,
  }
}

/** A batch as a broker would return it. */
export function batchOf(records: readonly ProducedRecord[], fields: BatchFields): Buffer {
  const { baseOffset, producerId = -1, attributes = 0, maxTimestampMs } = fields
  const identity = {
    producerId: BigInt(producerId),
    producerEpoch: 0,
    baseSequence: 0,
    isTransactional: true,
  }
  const writer = new RecordBatchWriter(new SpareBuffers())
  for (const record of records) writer.add(record)
  let batch = Buffer.from(writer.seal(identity))
  const compression = compressionsAlgorithmsByBitmask[attributes & 7]
  if ((attributes & 7) !== 0 && compression !== undefined) {
    const packed = compression.compressSync(batch.subarray(batchLayout.records))
    batch = Buffer.concat([batch.subarray(0, batchLayout.records), packed])
    batch.writeInt32BE(batch.length - 12, batchLayout.length)
  }
  batch.writeBigInt64BE(BigInt(baseOffset), batchLayout.baseOffset)
  batch.writeInt16BE(attributes, batchLayout.attributes)
  if (maxTimestampMs !== undefined)
    batch.writeBigInt64BE(BigInt(maxTimestampMs), batchLayout.maxTimestamp)
  return sealed(batch)
}

export function transactionalBatch(
  producerId: number,
  baseOffset: number,
  ...values: string[]
): Buffer {
  const records = values.map(value => recordOf(value))
  return batchOf(records, { baseOffset, producerId, attributes: 16 })
}

/** A commit or abort marker: one record whose key is a version and a type. */
export function marker(producerId: number, baseOffset: number, type: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])
  const record = recordOf(null, { key, value: Buffer.alloc(6) })
  return batchOf([record], { baseOffset, producerId, attributes: 16 | 32 })
}

/** What compaction leaves of a batch: its place, without records. */
export function emptied(batch: Buffer): Buffer {
  const head = Buffer.from(batch.subarray(0, batchLayout.records))
  head.writeInt32BE(head.length - 12, batchLayout.length)
  head.writeInt32BE(0, batchLayout.recordCount)
  return sealed(head)
}

function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(batchLayout.attributes)), batchLayout.checksum)
  return batch
}
