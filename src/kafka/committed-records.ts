import { compressionsAlgorithmsByBitmask } from './wire-library.ts'
import { StreamsError } from '../errors.ts'
import {
  partitionKey,
  type ConsumedRecord,
  type Header,
  type TopicPartition,
} from '../runtime/ports.ts'
import {
  abortMarkerType,
  batchLayout,
  batchPrefixBytes,
  compressionMask,
  controlFlag,
  logAppendTimeFlag,
  transactionalFlag,
} from './record-batch-format.ts'
import { crc32c } from './crc32c.ts'
import { ByteReader, readInt64 } from './varint.ts'

/** A transaction that the broker says was aborted: its producer and its first offset in the partition. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface CommittedRecords {
  readonly records: readonly ConsumedRecord[]
  /** Past everything that was looked at. */
  readonly nextOffset: number
}

const noHeaders: readonly Header[] = Object.freeze([])

/**
 * The committed records of one fetch response from `fromOffset` on. The response was asked for with read_committed,
 * so it ends before the first open transaction, and it names the aborted ones.
 *
 * An aborted range of a producer begins at `firstOffset` and ends at its next ABORT marker. So the ranges, in order
 * of their beginnings, enter a set as the batches reach them and leave it with their marker: a producer that aborted
 * twice enters twice. A marker in a later response changes nothing: that response names the transaction again. A
 * marker without a range (an empty abort) removes nothing.
 */
export class CommittedRecordsReader {
  readonly #at: TopicPartition
  readonly #bytes: Buffer
  readonly #aborted: readonly AbortedTransaction[]
  readonly #inAbortedRange = new Set<number>()
  readonly #fromOffset: number
  #nextAborted = 0
  /** Where the next batch begins. */
  #start = 0
  #nextOffset: number

  constructor(
    at: TopicPartition,
    bytes: Buffer,
    abortedTransactions: readonly AbortedTransaction[],
    fromOffset: number,
  ) {
    this.#at = at
    this.#bytes = bytes
    this.#aborted = abortedTransactions.toSorted((a, b) => a.firstOffset - b.firstOffset)
    this.#fromOffset = fromOffset
    this.#nextOffset = fromOffset
  }

  /** The broker cuts the last batch where its limit of bytes lies; it comes whole in the next response. */
  get hasMore(): boolean {
    return this.#endOfBatch() <= this.#bytes.length
  }

  /** Whole batches, until there are as many records or no more. An object for each record in the response would be old before it is used. */
  read(recordsMin = Infinity): CommittedRecords {
    const records: ConsumedRecord[] = []
    while (this.hasMore && records.length < recordsMin) {
      const batch = this.#bytes.subarray(this.#start, this.#endOfBatch())
      this.#start += batch.length
      this.#readBatch(batch, records)
    }
    return { records, nextOffset: this.#nextOffset }
  }

  #endOfBatch(): number {
    const lengthAt = this.#start + batchLayout.length
    if (this.#start + batchPrefixBytes > this.#bytes.length) return Infinity
    return this.#start + batchPrefixBytes + this.#bytes.readInt32BE(lengthAt)
  }

  #readBatch(batch: Buffer, records: ConsumedRecord[]): void {
    const lastOffset =
      readInt64(batch, batchLayout.baseOffset) + batch.readInt32BE(batchLayout.lastOffsetDelta)
    if (lastOffset < this.#fromOffset) return
    verify(this.#at, batch)
    this.#enterAbortedRanges(lastOffset)
    const attributes = batch.readInt16BE(batchLayout.attributes)
    const producerId = readInt64(batch, batchLayout.producerId)
    if ((attributes & controlFlag) !== 0) {
      if (isAbortMarker(batch)) this.#inAbortedRange.delete(producerId)
    } else if ((attributes & transactionalFlag) === 0 || !this.#inAbortedRange.has(producerId)) {
      appendRecords(this.#at, batch, this.#fromOffset, records)
    }
    this.#nextOffset = lastOffset + 1
  }

  #enterAbortedRanges(lastOffset: number): void {
    for (;;) {
      const next = this.#aborted[this.#nextAborted]
      if (next === undefined || next.firstOffset > lastOffset) return
      this.#inAbortedRange.add(next.producerId)
      this.#nextAborted += 1
    }
  }
}

/** Damage on the broker's disk must not look like data: Kafka's own consumer compares the checksum as well. */
function verify(at: TopicPartition, batch: Buffer): void {
  const magic = batch.readInt8(batchLayout.magic)
  if (magic !== 2)
    throw new StreamsError(
      'INTERNAL',
      `${partitionKey(at)}: record batches of format ${magic} are not supported`,
    )
  if (crc32c(batch.subarray(batchLayout.attributes)) !== batch.readUInt32BE(batchLayout.checksum))
    throw new StreamsError(
      'BROKER_UNAVAILABLE',
      `${partitionKey(at)}: the batch at offset ${readInt64(batch, batchLayout.baseOffset)} is damaged`,
    )
}

/**
 * A control record's key is a version and a type. A compacted marker keeps its batch but loses its record: then
 * nothing is open.
 */
function isAbortMarker(batch: Buffer): boolean {
  if (batch.readInt32BE(batchLayout.recordCount) === 0) return false
  const reader = new ByteReader(batch, batchLayout.records)
  reader.varint()
  reader.skip(1)
  reader.varint()
  reader.varint()
  return reader.nullableBytes()?.readInt16BE(2) === abortMarkerType
}

function appendRecords(
  at: TopicPartition,
  batch: Buffer,
  fromOffset: number,
  records: ConsumedRecord[],
): void {
  const { topic, partition } = at
  const attributes = batch.readInt16BE(batchLayout.attributes)
  const baseOffset = readInt64(batch, batchLayout.baseOffset)
  const baseTimestampMs = readInt64(batch, batchLayout.baseTimestamp)
  // Under LogAppendTime the broker writes its own time into this one field and leaves the records as they came.
  const appendedMs =
    (attributes & logAppendTimeFlag) === 0 ? undefined : readInt64(batch, batchLayout.maxTimestamp)
  const reader = recordsReader(batch, attributes & compressionMask)
  for (let count = batch.readInt32BE(batchLayout.recordCount); count > 0; count -= 1) {
    const length = reader.varint()
    const end = reader.position + length
    reader.position += 1
    const timestampDelta = reader.varint()
    const offset = baseOffset + reader.varint()
    if (offset >= fromOffset) {
      const key = reader.nullableBytes()
      const value = reader.nullableBytes()
      const headers = readHeaders(reader)
      const timestampMs = appendedMs ?? baseTimestampMs + timestampDelta
      records.push({ topic, partition, offset, timestampMs, key, value, headers })
    }
    reader.position = end
  }
}

function recordsReader(batch: Buffer, compression: number): ByteReader {
  if (compression === 0) return new ByteReader(batch, batchLayout.records)
  const algorithm = compressionsAlgorithmsByBitmask[compression]
  if (algorithm === undefined)
    throw new StreamsError(
      'INTERNAL',
      `records are compressed by an unknown method: ${compression}`,
    )
  return new ByteReader(algorithm.decompressSync(batch.subarray(batchLayout.records)))
}

function readHeaders(reader: ByteReader): readonly Header[] {
  const count = reader.varint()
  if (count === 0) return noHeaders
  const headers: Header[] = []
  for (let index = 0; index < count; index += 1) {
    const key = readName(reader, index)
    headers.push({ key, value: reader.nullableBytes() })
  }
  return headers
}

/** Names of headers by their place in the last record that had others: records one after the other mostly have the same. */
const lastNames: { readonly bytes: Buffer; readonly text: string }[] = []
const lastNamesMax = 16

function readName(reader: ByteReader, index: number): string {
  const last = lastNames[index]
  if (last !== undefined && reader.skipIf(last.bytes)) return last.text
  const bytes = reader.nullableBytes()
  const text = bytes?.toString('utf8') ?? ''
  // A copy: the response must not be kept for it.
  if (bytes !== null && index < lastNamesMax) lastNames[index] = { bytes: Buffer.from(bytes), text }
  return text
}
