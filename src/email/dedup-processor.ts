import { StreamsError } from '../errors.ts'
import type { StoreDefinition } from '../state/store.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import type {
  PrefetchKey,
  Processor,
  ProcessorContext,
  RecordHeader,
  StreamRecord,
} from '../topology/topology.ts'
import { contentHash } from './content-hash.ts'
import {
  type DedupEntry,
  horizonAt,
  horizonKey,
  isAnswered,
  requestedAheadMaxMs,
  type SeenRequest,
  withAnswered,
} from './dedup-store.ts'
import type { DuplicateRequest } from './duplicate-request.ts'
import { EncodedRequest } from './encoded-request.ts'
import { failedBeforeSending } from './failed-before-sending.ts'
import { identityOf } from './identity.ts'
import {
  acceptedHeaders,
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

/** One request on its way through the stage. */
interface Arrival {
  readonly record: RequestRecord
  readonly request: EmailRequested
  /** The request id. */
  readonly keyBytes: Buffer
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

/** The keys that a request needs. */
export function dedupPrefetch(
  store: StoreDefinition<DedupEntry>,
): (record: StreamRecord) => readonly PrefetchKey[] {
  const horizon = { store, key: horizonKey }
  return record => [horizon, { store, key: identityIn((record as RequestRecord).value) }]
}

function processRequest(
  record: RequestRecord,
  context: ProcessorContext<DedupOutput>,
  options: DedupOptions,
): void {
  const request = record.value
  const place = firstPlaceOf(record, context.origin)
  const nowMs = Math.max(context.streamTimeMs, place.timestampMs)
  const horizonMs = advanceHorizon(context, options, nowMs)
  const keyBytes = Buffer.from(request.requestId)
  if (partitionForKey(keyBytes, context.partitions) !== context.partition) {
    return reroute(record, keyBytes, place, context)
  }

  const identity = identityIn(request)
  const arrival: Arrival = { record, request, keyBytes, place, identity, nowMs, context }
  const store = context.store(options.store)
  const seen = store.get(identity)
  if (seen?.kind === 'seen' && seen.countedFromMs >= horizonMs) {
    const isAgain = isReread(record, context.origin) || isAnswered(seen, place)
    if (isAgain) return context.count('rereads_suppressed')
    return answerRepeat(arrival, seen, options)
  }

  if (request.requestedAt < horizonMs || place.timestampMs < horizonMs) {
    const olderMs = Math.min(request.requestedAt, place.timestampMs)
    return refuse(
      arrival,
      'TOO_OLD',
      `${dateText(olderMs)} lies further back than the dedup window`,
    )
  }

  // It was answered when its identity was known, which has been forgotten since. To take the identity now would mail a repeat.
  if (isReread(record, context.origin)) return context.count('rereads_suppressed')

  const accepted = newlySeen(request, place, contentHashOf(request))
  store.put(identity, accepted)
  const problems = invalidities(request, place.timestampMs)
  if (problems.length > 0) return refuse(arrival, 'INVALID', problems.join('; '))
  accept(arrival)
}

/**
 * Moves the horizon to the window's length before now; it never goes back, not even when the window has become longer
 * since. What is forgotten and what is too old are both measured by it, so nothing can be the one and not the other.
 */
function advanceHorizon(
  context: ProcessorContext<DedupOutput>,
  options: DedupOptions,
  nowMs: number,
): number {
  const store = context.store(options.store)
  const entry = store.get(horizonKey)
  const before = entry?.kind === 'horizon' ? entry.horizonMs : -Infinity
  const horizonMs = Math.max(before, nowMs - options.windowMs)
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

/** The identity lives from the later of first seen and requestedAt; one too far ahead is INVALID and may not be remembered for years. */
function newlySeen(request: EmailRequested, place: FirstPlace, hash: string): SeenRequest {
  const requestedAtMs = Math.min(request.requestedAt, place.timestampMs + requestedAheadMaxMs)
  return {
    kind: 'seen',
    firstSeenMs: place.timestampMs,
    requestedAtMs: request.requestedAt,
    countedFromMs: Math.max(place.timestampMs, requestedAtMs),
    contentHash: hash,
    answered: [place],
  }
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

function accept({ record, keyBytes, place, identity, context }: Arrival): void {
  context.count('requests_accepted')
  const trace = traceHeaders(record.headers, () => traceSeed(identity, place))
  const ours = acceptedHeaders(context.applicationId, place, trace)
  const headers = withHeaders(record.headers, ours)
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
