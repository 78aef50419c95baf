import { crc32c } from '@platformatic/kafka'
import type { ProducedRecord } from '../runtime/ports.ts'
import { batchLayout, batchPrefixBytes, transactionalFlag } from './record-batch-format.ts'
import { varintSize, writeVarint } from './varint.ts'

/** Who writes the batch; the broker tells repeats from news by these three (KIP-98). */
export interface BatchIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** Bytes of one record in a batch, at most: what decides where a batch is cut. */
export function recordBytesMax(record: ProducedRecord): number {
  let size = 40 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const header of record.headers)
    size += 10 + Buffer.byteLength(header.key) + (header.value?.length ?? 0)
  return size
}

/** One transactional, uncompressed batch of `records[from]` up to, not including, `records[to]`. */
export function encodeRecordBatch(
  records: readonly ProducedRecord[],
  from: number,
  to: number,
  identity: BatchIdentity,
): Buffer {
  const baseTimestampMs = records[from]!.timestampMs
  let capacity = batchLayout.records
  for (let index = from; index < to; index += 1) capacity += recordBytesMax(records[index]!)
  const batch = Buffer.allocUnsafe(capacity)
  let maxTimestampMs = baseTimestampMs
  let end: number = batchLayout.records
  for (let index = from; index < to; index += 1) {
    const record = records[index]!
    if (record.timestampMs > maxTimestampMs) maxTimestampMs = record.timestampMs
    end = writeRecord(batch, end, record, index - from, record.timestampMs - baseTimestampMs)
  }
  batch.writeBigInt64BE(0n, batchLayout.baseOffset)
  batch.writeInt32BE(end - batchPrefixBytes, batchLayout.length)
  batch.writeInt32BE(-1, batchLayout.partitionLeaderEpoch)
  batch.writeInt8(2, batchLayout.magic)
  batch.writeInt16BE(transactionalFlag, batchLayout.attributes)
  batch.writeInt32BE(to - from - 1, batchLayout.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(baseTimestampMs), batchLayout.baseTimestamp)
  batch.writeBigInt64BE(BigInt(maxTimestampMs), batchLayout.maxTimestamp)
  batch.writeBigInt64BE(identity.producerId, batchLayout.producerId)
  batch.writeInt16BE(identity.producerEpoch, batchLayout.producerEpoch)
  batch.writeInt32BE(identity.baseSequence, batchLayout.baseSequence)
  batch.writeInt32BE(to - from, batchLayout.recordCount)
  batch.writeUInt32BE(crc32c(batch.subarray(batchLayout.attributes, end)), batchLayout.checksum)
  return batch.subarray(0, end)
}

function writeRecord(
  target: Buffer,
  start: number,
  record: ProducedRecord,
  offsetDelta: number,
  timestampDelta: number,
): number {
  let at = writeVarint(target, bodySize(record, offsetDelta, timestampDelta), start)
  target[at++] = 0 // Attributes of a record are unused.
  at = writeVarint(target, timestampDelta, at)
  at = writeVarint(target, offsetDelta, at)
  at = writeBytes(target, record.key, at)
  at = writeBytes(target, record.value, at)
  at = writeVarint(target, record.headers.length, at)
  for (const header of record.headers) {
    at = writeVarint(target, Buffer.byteLength(header.key), at)
    at += target.write(header.key, at, 'utf8')
    at = writeBytes(target, header.value, at)
  }
  return at
}

function bodySize(record: ProducedRecord, offsetDelta: number, timestampDelta: number): number {
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta)
  size += bytesSize(record.key) + bytesSize(record.value) + varintSize(record.headers.length)
  for (const header of record.headers) {
    const length = Buffer.byteLength(header.key)
    size += varintSize(length) + length + bytesSize(header.value)
  }
  return size
}

function bytesSize(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length
}

function writeBytes(target: Buffer, bytes: Buffer | null, start: number): number {
  if (bytes === null) return writeVarint(target, -1, start)
  const at = writeVarint(target, bytes.length, start)
  target.set(bytes, at)
  return at + bytes.length
}
