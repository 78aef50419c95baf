import { crc32c } from './crc32c.ts'
import type { ProducedRecord } from '../runtime/ports.ts'
import { batchLayout, batchPrefixBytes, transactionalFlag } from './record-batch-format.ts'
import type { SpareBuffers } from './spare-buffers.ts'
import { ByteReader, varintSize, writeVarint } from './varint.ts'

/** Who writes the batch; the broker tells repeats from news by these three (KIP-98). */
export interface BatchIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
}

/** The two varints in front of a record's key are never longer than this, and neither is its length. */
const varintBytesMax = 10

/**
 * One uncompressed batch, written record by record: between its records' processing and its sending it is bytes
 * and nothing else, so that the collector has nothing to carry over.
 */
export class RecordBatchWriter {
  readonly #spares: SpareBuffers
  #bytes: Buffer
  #end: number = batchLayout.records
  #count = 0
  #baseTimestampMs = 0
  #maxTimestampMs = 0

  constructor(spares: SpareBuffers) {
    this.#spares = spares
    this.#bytes = spares.take()
  }

  get count(): number {
    return this.#count
  }

  /** Bytes of the whole batch as it is. */
  get byteLength(): number {
    return this.#end
  }

  add(record: ProducedRecord): void {
    const { timestampMs } = record
    this.#begin(timestampMs)
    const size = bodySize(record, this.#count, timestampMs - this.#baseTimestampMs)
    this.#makeRoom(size + varintBytesMax)
    this.#end = writeRecord(
      this.#bytes,
      this.#end,
      size,
      record,
      this.#count,
      timestampMs - this.#baseTimestampMs,
    )
    this.#count += 1
  }

  /** The batch as it travels; the same bytes every time for the same identity. */
  seal({ producerId, producerEpoch, baseSequence, isTransactional }: BatchIdentity): Buffer {
    const batch = this.#bytes.subarray(0, this.#end)
    batch.writeBigInt64BE(0n, batchLayout.baseOffset)
    batch.writeInt32BE(this.#end - batchPrefixBytes, batchLayout.length)
    batch.writeInt32BE(-1, batchLayout.partitionLeaderEpoch)
    batch.writeInt8(2, batchLayout.magic)
    batch.writeInt16BE(isTransactional ? transactionalFlag : 0, batchLayout.attributes)
    batch.writeInt32BE(this.#count - 1, batchLayout.lastOffsetDelta)
    batch.writeBigInt64BE(BigInt(this.#baseTimestampMs), batchLayout.baseTimestamp)
    batch.writeBigInt64BE(BigInt(this.#maxTimestampMs), batchLayout.maxTimestamp)
    batch.writeBigInt64BE(producerId, batchLayout.producerId)
    batch.writeInt16BE(producerEpoch, batchLayout.producerEpoch)
    batch.writeInt32BE(baseSequence, batchLayout.baseSequence)
    batch.writeInt32BE(this.#count, batchLayout.recordCount)
    batch.writeUInt32BE(crc32c(batch.subarray(batchLayout.attributes)), batchLayout.checksum)
    return batch
  }

  /** Nobody needs the batch any more: its memory is given to another. */
  release(): void {
    this.#spares.give(this.#bytes)
  }

  /** The first half of the records and the second, as batches of their own; of two records at least. */
  halves(): [RecordBatchWriter, RecordBatchWriter] {
    const halves: [RecordBatchWriter, RecordBatchWriter] = [
      new RecordBatchWriter(this.#spares),
      new RecordBatchWriter(this.#spares),
    ]
    const reader = new ByteReader(this.#bytes, batchLayout.records)
    const middle = this.#count >> 1
    for (let index = 0; index < this.#count; index += 1) {
      const length = reader.varint()
      const end = reader.position + length
      reader.skip(1)
      const timestampMs = this.#baseTimestampMs + reader.varint()
      reader.varint()
      const rest = this.#bytes.subarray(reader.position, end)
      halves[index < middle ? 0 : 1].#addEncoded(timestampMs, rest)
      reader.position = end
    }
    return halves
  }

  /** A record of another batch: what follows its two numbers is the same in every one. */
  #addEncoded(timestampMs: number, rest: Buffer): void {
    this.#begin(timestampMs)
    const delta = timestampMs - this.#baseTimestampMs
    const size = 1 + varintSize(delta) + varintSize(this.#count) + rest.length
    this.#makeRoom(size + varintBytesMax)
    const at = writePreamble(this.#bytes, this.#end, size, this.#count, delta)
    this.#bytes.set(rest, at)
    this.#end = at + rest.length
    this.#count += 1
  }

  #begin(timestampMs: number): void {
    if (this.#count === 0) this.#baseTimestampMs = this.#maxTimestampMs = timestampMs
    else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
  }

  #makeRoom(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#bytes.length) return
    const larger = this.#spares.take(needed)
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#spares.give(this.#bytes)
    this.#bytes = larger
  }
}

/** Bytes that the record adds to a batch, at most. */
export function recordBytesMax(record: ProducedRecord): number {
  const { headers } = record
  let size = 40 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  // Loops over indexes: an iterator is an object or two for every record.
  for (let index = 0; index < headers.length; index += 1) {
    const { key, value } = headers[index]!
    // A character of UTF-16 is three bytes of UTF-8 at most.
    size += 10 + 3 * key.length + (value?.length ?? 0)
  }
  return size
}

function writePreamble(
  target: Buffer,
  start: number,
  size: number,
  offsetDelta: number,
  timestampDelta: number,
): number {
  const at = writeVarint(target, size, start)
  target[at] = 0 // Attributes of a record are unused.
  return writeVarint(target, offsetDelta, writeVarint(target, timestampDelta, at + 1))
}

function writeRecord(
  target: Buffer,
  start: number,
  size: number,
  record: ProducedRecord,
  offsetDelta: number,
  timestampDelta: number,
): number {
  let at = writePreamble(target, start, size, offsetDelta, timestampDelta)
  at = writeBytes(target, record.key, at)
  at = writeBytes(target, record.value, at)
  const { headers } = record
  at = writeVarint(target, headers.length, at)
  for (let index = 0; index < headers.length; index += 1) {
    const { key, value } = headers[index]!
    at = writeBytes(target, headerKey(key), at)
    at = writeBytes(target, value, at)
  }
  return at
}

function bodySize(record: ProducedRecord, offsetDelta: number, timestampDelta: number): number {
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta)
  const { headers } = record
  size += bytesSize(record.key) + bytesSize(record.value) + varintSize(headers.length)
  for (let index = 0; index < headers.length; index += 1) {
    const { key, value } = headers[index]!
    size += bytesSize(headerKey(key)) + bytesSize(value)
  }
  return size
}

/** Ours are a dozen; a producer may bring any number of others. */
const headerKeysMax = 1000
const headerKeys = new Map<string, Buffer>()

function headerKey(key: string): Buffer {
  const known = headerKeys.get(key)
  if (known !== undefined) return known
  if (headerKeys.size >= headerKeysMax) headerKeys.clear()
  const bytes = Buffer.from(key)
  headerKeys.set(key, bytes)
  return bytes
}

function bytesSize(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length
}

/** Short pieces are written byte by byte: a call into the engine costs more than that. */
const copiedByHandMax = 32

function writeBytes(target: Buffer, bytes: Buffer | null, start: number): number {
  if (bytes === null) return writeVarint(target, -1, start)
  const { length } = bytes
  const at = writeVarint(target, length, start)
  if (length > copiedByHandMax) target.set(bytes, at)
  else for (let index = 0; index < length; index += 1) target[at + index] = bytes[index]!
  return at + length
}
