import { StreamsError } from '../errors.ts'
import type { RecordHeader, RecordOrigin, StreamRecord } from '../topology/topology.ts'
import { topicNames } from './topic-names.ts'

/** Names of the headers that this topology writes. Those of the same name from a producer are dropped where ours are added. */
export const headerNames = Object.freeze({
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  applicationId: 'application.id',
  /** Where and when a request first stood: on re-routed and on accepted ones. */
  originTopic: 'origin.topic',
  originPartition: 'origin.partition',
  originOffset: 'origin.offset',
  originTimestamp: 'origin.timestamp',
  /** On a re-routed request: 1 where it had been re-routed before. */
  originReread: 'origin.reread',
})

/** Where and when a request first stood in `email.requested`, whatever way it has come since. */
export interface FirstPlace {
  readonly partition: number
  readonly offset: number
  /** Milliseconds, by the broker's clock: the topic is LogAppendTime. */
  readonly timestampMs: number
}

/** The headers with ours in place of whatever had their names. */
export function withHeaders(
  headers: readonly RecordHeader[],
  ours: readonly RecordHeader[],
): readonly RecordHeader[] {
  if (headers.length === 0) return ours
  const names = new Set(ours.map(each => each.key))
  return [...headers.filter(each => !names.has(each.key)), ...ours]
}

function textHeader(key: string, value: string | number): RecordHeader {
  return { key, value: Buffer.from(String(value)) }
}

/** The header as `textHeader` makes it. Records in a row say mostly the same: the last header is kept and serves them all. */
function sharedHeader(key: string): (value: string | number) => RecordHeader {
  let last: { readonly value: string | number; readonly header: RecordHeader } | undefined
  return value => {
    if (last?.value !== value) last = { value, header: textHeader(key, value) }
    return last.header
  }
}

/** Whose a request is. */
export const applicationIdHeader = sharedHeader(headerNames.applicationId)
const originPartitionHeader = sharedHeader(headerNames.originPartition)
const originTimestampHeader = sharedHeader(headerNames.originTimestamp)

/** A non-negative whole number written as decimal text, or undefined. */
function numberInHeader(headers: readonly RecordHeader[], name: string): number | undefined {
  for (let index = 0; index < headers.length; index += 1) {
    const { key, value } = headers[index]!
    if (key === name) return value === null ? undefined : wholeNumber(value)
  }
  return undefined
}

/** Of 1 to 16 digits of ASCII. */
function wholeNumber(text: Buffer): number | undefined {
  if (text.length === 0 || text.length > 16) return undefined
  let number = 0
  for (let index = 0; index < text.length; index += 1) {
    const digit = text[index]! - 0x30
    if (digit < 0 || digit > 9) return undefined
    number = number * 10 + digit
  }
  return number
}

/** No two are the same. */
function originOffsetHeader(offset: number): RecordHeader {
  return textHeader(headerNames.originOffset, offset)
}

const originTopicHeader = textHeader(headerNames.originTopic, topicNames.requested)

/** What a request carries so that whoever reads it can decide as if it had been read where it first stood. */
export function originHeaders(
  place: FirstPlace,
): [topic: RecordHeader, partition: RecordHeader, offset: RecordHeader, timestamp: RecordHeader] {
  return [
    originTopicHeader,
    originPartitionHeader(place.partition),
    originOffsetHeader(place.offset),
    originTimestampHeader(place.timestampMs),
  ]
}

const rereadHeader = sharedHeader(headerNames.originReread)

/** The same on its way to another partition: also whether it was read before, in place of what its producer may say. */
export function reroutedHeaders(place: FirstPlace, again: boolean): RecordHeader[] {
  return [...originHeaders(place), rereadHeader(again ? 1 : 0)]
}

/** Whether the request had been read before, here or where it first stood. */
export function isReread(record: StreamRecord, origin: RecordOrigin | undefined): boolean {
  if (origin?.isReread === true) return true
  // In the topic of the business systems a header of that name is a producer's.
  if (origin === undefined || origin.topic === topicNames.requested) return false
  return numberInHeader(record.headers, headerNames.originReread) === 1
}

/**
 * Where the request first stood: where it was read, or what its headers say when it was read from a topic of ours. Headers
 * of these names in `email.requested` are a producer's and mean nothing.
 */
export function firstPlaceOf(record: StreamRecord, origin: RecordOrigin | undefined): FirstPlace {
  if (origin === undefined) throw new StreamsError('INTERNAL', 'a request without a place')
  if (origin.topic === topicNames.requested) {
    return { partition: origin.partition, offset: origin.offset, timestampMs: record.timestampMs }
  }
  const place = placeInHeaders(record.headers)
  if (place !== undefined) return place
  throw new StreamsError('RECORD_UNDECODABLE', 'a re-routed request without its first place')
}

/** The first place that headers of our own carry. */
export function placeInHeaders(headers: readonly RecordHeader[]): FirstPlace | undefined {
  const partition = numberInHeader(headers, headerNames.originPartition)
  const offset = numberInHeader(headers, headerNames.originOffset)
  const timestampMs = numberInHeader(headers, headerNames.originTimestamp)
  if (partition === undefined || offset === undefined || timestampMs === undefined) return undefined
  return { partition, offset, timestampMs }
}

/** Whether both stood there first, as far as both say where. */
export function isFirstPlaceSame(
  one: readonly RecordHeader[],
  other: readonly RecordHeader[],
): boolean {
  const [first, second] = [placeInHeaders(one), placeInHeaders(other)]
  if (first === undefined || second === undefined) return true
  return first.partition === second.partition && first.offset === second.offset
}
