import { protocolErrors } from '@platformatic/kafka'
import { ByteReader } from '../../src/kafka/varint.ts'

/** Requests by their numbers (Kafka protocol guide, API keys). */
export const apiKeys = Object.freeze({
  produce: 0,
  fetch: 1,
  metadata: 3,
  offsetCommit: 8,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  syncGroup: 14,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
})

export type Api = keyof typeof apiKeys

/** The requests that an error can be made up for. */
export type RefusableApi = Exclude<Api, 'fetch' | 'metadata' | 'findCoordinator'>

/** Its name, as `NOT_COORDINATOR`. */
export type BrokerError = Extract<keyof typeof protocolErrors, string>

const noTags = Buffer.from([0])
const throttle = int(4, 0)
const nothing = Buffer.from([0]) // A compact string, array or bytes that is null.

/** What a broker would answer to this request, with the same error for everything in it. All of these versions are flexible (KIP-482). */
export function errorAnswer(api: RefusableApi, request: Buffer, error: BrokerError): Buffer {
  const code = int(2, protocolErrors[error]!.code)
  const version = request.readInt16BE(6)
  const answer = Buffer.concat([
    request.subarray(8, 12),
    noTags,
    ...bodies[api]({ reader: bodyOf(request), code, version }),
    noTags,
  ])
  return Buffer.concat([int(4, answer.length), answer])
}

interface Asked {
  readonly reader: ByteReader
  readonly code: Buffer
  readonly version: number
}

const bodies: Readonly<Record<RefusableApi, (asked: Asked) => Buffer[]>> = {
  produce: ({ reader, code }) => {
    reader.compactString() // The transactional id.
    reader.skip(6)
    const topics = topicsOf(reader, () => reader.skip(reader.unsignedVarint() - 1))
    // The base offset, the time and the log's start are -1; no errors of single records, no message.
    const partition = (index: Buffer): Buffer[] => [
      index,
      code,
      Buffer.alloc(24, 0xff),
      Buffer.from([1]),
      nothing,
      noTags,
    ]
    return [answersFor(topics, partition), throttle]
  },
  joinGroup: ({ code }) => [
    throttle,
    code,
    int(4, -1),
    nothing,
    nothing,
    Buffer.from([1, 0, 1, 1]), // No leader, nothing to skip, no member id, no members.
  ],
  heartbeat: ({ code }) => [throttle, code],
  syncGroup: ({ code }) => [throttle, code, nothing, nothing, Buffer.from([1])],
  initProducerId: ({ code }) => [throttle, code, noProducer()],
  addPartitionsToTxn: ({ reader, code }) => {
    reader.compactString()
    reader.skip(10)
    const topics = topicsOf(reader, undefined)
    return [throttle, answersFor(topics, index => [index, code, noTags])]
  },
  addOffsetsToTxn: ({ code }) => [throttle, code],
  // The fifth version tells the identity to go on with.
  endTxn: ({ code, version }) => [throttle, code, ...(version < 5 ? [] : [noProducer()])],
  offsetCommit: ({ reader, code }) => {
    reader.compactString()
    reader.skip(4)
    reader.compactString()
    reader.compactString()
    const topics = topicsOf(reader, () => {
      reader.skip(12)
      reader.compactString()
    })
    return [throttle, answersFor(topics, index => [index, code, noTags])]
  },
  txnOffsetCommit: ({ reader, code }) => {
    reader.compactString()
    reader.compactString()
    reader.skip(14)
    reader.compactString()
    reader.compactString()
    const topics = topicsOf(reader, () => {
      reader.skip(12)
      reader.compactString()
    })
    return [throttle, answersFor(topics, index => [index, code, noTags])]
  },
}

interface Topic {
  readonly name: string
  readonly partitions: readonly number[]
}

/** Behind the header: key, version, correlation id, client id, tags. */
function bodyOf(request: Buffer): ByteReader {
  const reader = new ByteReader(request, 12)
  reader.skip(Math.max(0, reader.int16()))
  reader.skipTaggedFields()
  return reader
}

/** `skipRest` steps over what follows the number of a partition; without it a partition is a number and nothing else. */
function topicsOf(reader: ByteReader, skipRest: (() => void) | undefined): Topic[] {
  return Array.from({ length: reader.unsignedVarint() - 1 }, () => {
    const name = reader.compactString() ?? ''
    const partitions = Array.from({ length: reader.unsignedVarint() - 1 }, () => {
      const index = reader.int32()
      skipRest?.()
      if (skipRest) reader.skipTaggedFields()
      return index
    })
    reader.skipTaggedFields()
    return { name, partitions }
  })
}

/** Short arrays and names only: their lengths take one byte. */
function answersFor(topics: readonly Topic[], partition: (index: Buffer) => Buffer[]): Buffer {
  const parts = topics.flatMap(({ name, partitions }) => [
    Buffer.from([name.length + 1]),
    Buffer.from(name),
    Buffer.from([partitions.length + 1]),
    ...partitions.flatMap(index => partition(int(4, index))),
    noTags,
  ])
  return Buffer.concat([Buffer.from([topics.length + 1]), ...parts])
}

function noProducer(): Buffer {
  return Buffer.alloc(10, 0xff)
}

function int(bytes: 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeIntBE(value, 0, bytes)
  return buffer
}
