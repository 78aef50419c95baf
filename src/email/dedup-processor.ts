import { StreamsError } from '../errors.ts'
import type { KeyValueStore, StoreDefinition } from '../state/store.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import type {
  PrefetchKey,
  Processor,
  ProcessorContext,
  RecordHeader,
  StreamRecord,
} from '../topology/topology.ts'
import { acceptedHeaders } from './accepted-headers.ts'
import { contentHash } from './content-hash.ts'
import {
  type DedupEntry,
  horizonAt,
  horizonKey,
  isAnswered,
  newlySeen,
  type SeenRequest,
  withAnswered,
} from './dedup-store.ts'
import type { DuplicateRequest } from './duplicate-request.ts'
import { EncodedRequest } from './encoded-request.ts'
import { failedBeforeSending } from './failed-before-sending.ts'
import { identityOf } from './identity.ts'
import {
  type FirstPlace,
  firstPlaceOf,
  isReread,
  reroutedHeaders,
  withHeaders,
} from './record-headers.ts'
import type { EmailFailed, EmailRequested, FailureReason } from './records.ts'
import { topicNames } from './topic-names.ts'
import { traceHeaders, traceSeed } from './trace-headers.ts'
import { invalidities } from './validate.ts'

export type RequestRecord = StreamRecord<Buffer | string | null, EmailRequested>
export type DedupOutput =
  | StreamRecord<string, EmailRequested>
  | StreamRecord<string, EmailFailed>
  | StreamRecord<string, DuplicateRequest>

export interface DedupOptions {
  readonly store: StoreDefinition<DedupEntry>
  /** The dedup window, milliseconds, by record time. */
  readonly windowMs: number
}

/** The sinks below the dedup stage. */
export const dedupChildren = Object.freeze({
  accepted: 'accepted',
  refused: 'refused',
  misplaced: 'misplaced',
  duplicates: 'duplicates',
})

/** A request that is not let through, and what is known of it. */
interface Arrival {
  readonly record: RequestRecord
  readonly request: EmailRequested
  readonly place: FirstPlace
  readonly identity: string
  /** The task's record time, milliseconds. */
  readonly nowMs: number
  readonly context: ProcessorContext<DedupOutput>
}

/**
 * Lets every identity through once inside the window. The order of its questions is the contract's: is it the same
 * record again, a duplicate or a conflict; is it too old; only then, is it valid. Time is record time alone: a clock of
 * the machine that jumps changes nothing, and a replay decides as the first time.
 */
export function dedupProcessor(options: DedupOptions): Processor<RequestRecord, DedupOutput> {
  return { process: (record, context) => processRequest(record, context, options) }
}

/** The keys that a request needs, in one list that serves all requests: it is read before the next is asked about. */
export function dedupPrefetch(
  store: StoreDefinition<DedupEntry>,
): (record: StreamRecord) => readonly PrefetchKey[] {
  const own = { store, key: '' }
  const keys = [{ store, key: horizonKey }, own]
  return record => {
    own.key = identityIn((record as RequestRecord).value)
    return keys
  }
}

function processRequest(
  record: RequestRecord,
  context: ProcessorContext<DedupOutput>,
  options: DedupOptions,
): void {
  const request = record.value
  const place = firstPlaceOf(record, context.origin)
  const nowMs = Math.max(context.streamTimeMs, place.timestampMs)
  const store = context.store(options.store)
  const horizonMs = advanceHorizon(store, nowMs - options.windowMs)
  const keyBytes = keyBytesOf(record)
  if (partitionForKey(keyBytes, context.partitions) !== context.partition) {
    return reroute(record, keyBytes, place, context)
  }

  const identity = identityIn(request)
  const seen = store.get(identity)
  if (seen?.kind === 'seen' && seen.countedFromMs >= horizonMs) {
    const isAgain = isReread(record, context.origin) || isAnswered(seen, place)
    if (isAgain) return context.count('rereads_suppressed')
    return answerRepeat({ record, request, place, identity, nowMs, context }, seen, options)
  }

  if (request.requestedAt < horizonMs || place.timestampMs < horizonMs) {
    const olderMs = Math.min(request.requestedAt, place.timestampMs)
    const detail = `${dateText(olderMs)} lies further back than the dedup window`
    return refuse({ record, request, place, identity, nowMs, context }, 'TOO_OLD', detail)
  }

  // It was answered when its identity was known, which has been forgotten since. To take the identity now would mail a repeat.
  if (isReread(record, context.origin)) return context.count('rereads_suppressed')

  store.put(identity, newlySeen(request.requestedAt, place, contentHashOf(request)))
  const problems = invalidities(request, place.timestampMs)
  if (problems.length === 0) return accept(record, keyBytes, place, identity, context)
  refuse({ record, request, place, identity, nowMs, context }, 'INVALID', problems.join('; '))
}

/**
 * Moves the horizon to the window's length before now; it never goes back, not even when the window has become longer
 * since. What is forgotten and what is too old are both measured by it, so nothing can be the one and not the other.
 */
function advanceHorizon(store: KeyValueStore<DedupEntry>, windowStartMs: number): number {
  const entry = store.get(horizonKey)
  const before = entry?.kind === 'horizon' ? entry.horizonMs : -Infinity
  const horizonMs = Math.max(before, windowStartMs)
  // Also when it stays where it is: the changelog must not forget it before what was decided by it.
  const same = entry?.kind === 'horizon' && entry.horizonMs === horizonMs
  store.put(horizonKey, same ? entry : horizonAt(horizonMs))
  return horizonMs
}

/** To the task that owns the request id. */
function reroute(
  record: RequestRecord,
  keyBytes: Buffer,
  place: FirstPlace,
  context: ProcessorContext<DedupOutput>,
): void {
  if (context.origin?.topic !== topicNames.requested) {
    throw new StreamsError(
      'TOPIC_MISMATCH',
      `${context.origin?.topic} and ${topicNames.requested} have not the same number of partitions`,
    )
  }
  context.count('requests_rerouted')
  const ours = reroutedHeaders(place, isReread(record, context.origin))
  const headers = withHeaders(record.headers, ours)
  context.forward(passedThrough(record, keyBytes, place, headers), dedupChildren.misplaced)
}

/** The request id: mostly it is the record's key, as it should be. */
function keyBytesOf({ value, raw }: RequestRecord): Buffer {
  const key = raw?.keyBytes ?? null
  return key !== null && isAsciiOf(value.requestId, key) ? key : Buffer.from(value.requestId)
}

function isAsciiOf(text: string, bytes: Buffer): boolean {
  if (text.length !== bytes.length) return false
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit !== bytes[index] || unit >= 0x80) return false
  }
  return true
}

function contentHashOf(request: EmailRequested): string {
  return contentHash(
    request,
    request instanceof EncodedRequest ? request.encodedContent : undefined,
  )
}

function identityIn(request: EmailRequested): string {
  return request instanceof EncodedRequest ? request.identity : identityOf(request)
}

function answerRepeat(arrival: Arrival, seen: SeenRequest, options: DedupOptions): void {
  const { request, place, identity, context, nowMs, record } = arrival
  const same = seen.contentHash === contentHashOf(request)
  // What produces nothing needs no memory of having been answered.
  if (!same || request.callback !== null) {
    context.store(options.store).put(identity, withAnswered(seen, place))
  }
  if (!same) {
    const since = dateText(seen.firstSeenMs)
    return refuse(arrival, 'CONFLICT', `this id was first seen at ${since} with other content`)
  }
  context.count('duplicates_suppressed')
  if (request.callback === null) return
  const { source, requestId, callback } = request
  const original = {
    requestedAtMs: seen.requestedAtMs,
    knownUntilMs: seen.countedFromMs + options.windowMs,
  }
  context.forward(
    {
      key: requestId,
      value: { source, requestId, callback, taker: null, ...place, original },
      timestampMs: nowMs,
      headers: traceHeaders(record.headers, () => traceSeed(identity, place)),
    },
    dedupChildren.duplicates,
  )
}

function refuse(arrival: Arrival, reason: FailureReason, detail: string): void {
  const { request, place, identity, context, nowMs, record } = arrival
  context.count('requests_refused')
  context.forward(
    {
      key: request.requestId,
      value: failedBeforeSending(request, reason, detail, nowMs),
      timestampMs: nowMs,
      headers: traceHeaders(record.headers, () => traceSeed(identity, place)),
    },
    dedupChildren.refused,
  )
}

function accept(
  record: RequestRecord,
  keyBytes: Buffer,
  place: FirstPlace,
  identity: string,
  context: ProcessorContext<DedupOutput>,
): void {
  context.count('requests_accepted')
  const headers = acceptedHeaders(context.applicationId, place, identity, record.headers)
  context.forward(passedThrough(record, keyBytes, place, headers), dedupChildren.accepted)
}

/** Keyed by the request id, whatever the key was; the value's bytes as the producer wrote them, with its schema id. */
function passedThrough(
  { value, raw }: RequestRecord,
  keyBytes: Buffer,
  { timestampMs }: FirstPlace,
  headers: readonly RecordHeader[],
): StreamRecord<string, EmailRequested> {
  const key = value.requestId
  if (raw === undefined) return { key, value, timestampMs, headers }
  const { valueBytes } = raw
  return { key, value, timestampMs, headers, raw: { key, value, keyBytes, valueBytes } }
}

/** ISO 8601 where the number is a date, else the number. */
function dateText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}
