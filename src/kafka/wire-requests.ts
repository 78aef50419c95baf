import type { Reader, Writer } from '@platformatic/kafka'
import {
  ResponseError,
  Writer as WireWriter,
  createAPI,
  endTxnV4,
  fetchV17,
  produceV11,
  txnOffsetCommitV4,
} from './wire-library.ts'
import { ByteReader } from './varint.ts'
import type { AbortedTransaction } from './committed-records.ts'

/**
 * Requests that the wire library does not ship. Version 2 of the transaction protocol (KIP-890) has the wire format
 * of version 1 and other meanings: a Produce adds its partition by itself, an EndTxn answers with the next epoch.
 */

export interface PartitionBatch {
  readonly partition: number
  readonly batch: Buffer
}

export interface TopicBatches {
  readonly topic: string
  readonly partitions: readonly PartitionBatch[]
}

export interface ProducedPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset: number
  readonly errorMessage: string | null
}

type ProduceArguments = [
  transactionalId: string | null,
  timeoutMs: number,
  topics: readonly TopicBatches[],
]

function createProduceRequest(...[transactionalId, timeoutMs, topics]: ProduceArguments): Writer {
  return WireWriter.create()
    .appendString(transactionalId)
    .appendInt16(-1) // Every replica in sync must have it.
    .appendInt32(timeoutMs)
    .appendArray([...topics], (writer, { topic, partitions }) => {
      writer.appendString(topic).appendArray([...partitions], (each, { partition, batch }) => {
        each
          .appendInt32(partition)
          .appendUnsignedVarInt(batch.length + 1)
          .append(batch)
      })
    })
    .appendTaggedFields()
}

/** Each partition with its own error: the library would throw all of them away for one. */
function parseProduceResponse(
  _id: number,
  _key: number,
  _version: number,
  reader: Reader,
): ProducedPartition[] {
  const bytes = new ByteReader(reader.buffer.slice(reader.position))
  const result: ProducedPartition[] = []
  for (let topics = bytes.unsignedVarint() - 1; topics > 0; topics -= 1) {
    const topic = bytes.compactString() ?? ''
    for (let count = bytes.unsignedVarint() - 1; count > 0; count -= 1) {
      const partition = bytes.int32()
      const errorCode = bytes.int16()
      const baseOffset = bytes.int64()
      bytes.skip(16) // The append time and the start of the log.
      for (let errors = bytes.unsignedVarint() - 1; errors > 0; errors -= 1) {
        bytes.skip(4)
        bytes.compactString()
        bytes.skipTaggedFields()
      }
      const errorMessage = bytes.compactString()
      bytes.skipTaggedFields()
      result.push({ topic, partition, errorCode, baseOffset, errorMessage })
    }
    bytes.skipTaggedFields()
  }
  return result
}

export const produce = Object.freeze({
  version1: createAPI<ProduceArguments, ProducedPartition[]>(
    0,
    produceV11.api.version,
    createProduceRequest,
    parseProduceResponse,
  ),
  version2: createAPI<ProduceArguments, ProducedPartition[]>(
    0,
    12,
    createProduceRequest,
    parseProduceResponse,
  ),
})

type Api<Arguments extends unknown[], Response> = ReturnType<typeof createAPI<Arguments, Response>>

type TxnOffsetCommitArguments = Parameters<typeof txnOffsetCommitV4.createRequest>
type TxnOffsetCommitResponse = Awaited<ReturnType<typeof txnOffsetCommitV4.api.async>>

export const txnOffsetCommit: {
  readonly version1: typeof txnOffsetCommitV4.api
  readonly version2: Api<TxnOffsetCommitArguments, TxnOffsetCommitResponse>
} = Object.freeze({
  version1: txnOffsetCommitV4.api,
  version2: createAPI<TxnOffsetCommitArguments, TxnOffsetCommitResponse>(
    28,
    5,
    txnOffsetCommitV4.createRequest,
    txnOffsetCommitV4.parseResponse,
  ),
})

/** The identity to go on with. */
export interface EndTxnResponse {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export const endTxn: {
  readonly version1: typeof endTxnV4.api
  readonly version2: Api<Parameters<typeof endTxnV4.createRequest>, EndTxnResponse>
} = Object.freeze({
  version1: endTxnV4.api,
  version2: createAPI<Parameters<typeof endTxnV4.createRequest>, EndTxnResponse>(
    26,
    5,
    endTxnV4.createRequest,
    (_id, key, version, reader): EndTxnResponse => {
      reader.skip(4) // The throttle time.
      const errorCode = reader.readInt16()
      const response = { producerId: reader.readInt64(), producerEpoch: reader.readInt16() }
      reader.readTaggedFields()
      if (errorCode !== 0)
        throw new ResponseError(key, version, { '/': [errorCode, null] }, response)
      return response
    },
  ),
})

export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly AbortedTransaction[]
  /** Record batches as they came; the last may be cut. */
  readonly bytes: Buffer
}

export interface FetchResponse {
  readonly errorCode: number
  readonly partitions: readonly FetchedPartition[]
}

/**
 * Record batches stay bytes until somebody wants them; the library decodes every record into seven objects at once.
 */
function parseFetchResponse(
  _id: number,
  _key: number,
  _version: number,
  reader: Reader,
): FetchResponse {
  // The connection read it into one buffer: so this is a view of it.
  const bytes = new ByteReader(reader.buffer.slice(reader.position))
  bytes.skip(4)
  const errorCode = bytes.int16()
  bytes.skip(4)
  const partitions: FetchedPartition[] = []
  for (let topics = bytes.unsignedVarint() - 1; topics > 0; topics -= 1) {
    const topicId = formatUuid(bytes.take(16))
    for (let count = bytes.unsignedVarint() - 1; count > 0; count -= 1)
      partitions.push(readPartition(bytes, topicId))
    bytes.skipTaggedFields()
  }
  return { errorCode, partitions }
}

function readPartition(bytes: ByteReader, topicId: string): FetchedPartition {
  const partition = bytes.int32()
  const errorCode = bytes.int16()
  const highWatermark = bytes.int64()
  bytes.skip(8)
  const logStartOffset = bytes.int64()
  const abortedTransactions: AbortedTransaction[] = []
  for (let count = bytes.unsignedVarint() - 1; count > 0; count -= 1) {
    abortedTransactions.push({ producerId: bytes.int64(), firstOffset: bytes.int64() })
    bytes.skipTaggedFields()
  }
  bytes.skip(4)
  const length = bytes.unsignedVarint() - 1
  const records = length > 0 ? bytes.take(length) : Buffer.alloc(0)
  bytes.skipTaggedFields()
  return {
    topicId,
    partition,
    errorCode,
    highWatermark,
    logStartOffset,
    abortedTransactions,
    bytes: records,
  }
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}

export const fetch: Api<Parameters<typeof fetchV17.createRequest>, FetchResponse> = createAPI<
  Parameters<typeof fetchV17.createRequest>,
  FetchResponse
>(1, 17, fetchV17.createRequest, parseFetchResponse)
