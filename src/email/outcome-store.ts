import avro from 'avsc'
import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { StoreDefinition } from '../state/store.ts'
import type { RecordHeader } from '../topology/topology.ts'
import { requestedAheadMaxMs } from './dedup-store.ts'
import type { LaterTaker } from './duplicate-request.ts'
import type { MailEntry } from './mail-entry.ts'
import type { FirstPlace } from './record-headers.ts'
import type { Callback } from './records.ts'

/** How a request ended, as its duplicates are told. */
export interface KnownEnd {
  /** `SENT`, `IN_DOUBT` or `FAILED` and the reason. */
  readonly words: string
  readonly messageId: string | null
  /** Of the request that ended. */
  readonly requestedAtMs: number
  readonly atMs: number
}

/** What the callback stage knows of an identity. */
export interface Outcome {
  readonly kind: 'outcome'
  /** Of the last callback; 0 before the first. */
  readonly sequence: number
  readonly end: KnownEnd | null
  /** How many pages of duplicates wait for the end. */
  readonly pages: number
  readonly waiting: number
  /** True once a conflict was reported: its original ends some day, and the sequence has to go on then. */
  readonly awaited: boolean
  /** Record time of the last change, milliseconds. */
  readonly touchedMs: number
  /** Requests that took the identity anew and were not carried out, or ended before an earlier one did; the latest last; at most `laterTakersMax`. */
  readonly laterTakers: readonly LaterTaker[]
}

/** Each takes a whole window, so nobody ever asks for those before. */
export const laterTakersMax = 4

/** A duplicate that waits for the original's end. */
export interface WaitingDuplicate extends FirstPlace {
  readonly callback: Callback
  /** Its trace. */
  readonly headers: readonly RecordHeader[]
}

/** Duplicates in the order in which they came. Pages keep each store entry small, however many wait. */
export interface WaitingPage {
  readonly kind: 'page'
  readonly duplicates: readonly WaitingDuplicate[]
}

export type OutcomeEntry = Outcome | WaitingPage | MailEntry

export const outcomeKey = (identity: string): string => `o|${identity}`
/** `page` counts from 1. */
export const waitingKey = (identity: string, page: number): string => `w|${page}|${identity}`

/** How long an end is remembered. */
export interface OutcomeRetention {
  /** The dedup window, milliseconds. */
  readonly windowMs: number
  /**
   * How much longer than its identity in the dedup store, milliseconds. Identities are forgotten by the record time of their requests and ends by that of the
   * ends, so this bounds how far a backlog or a clock may set the two apart before a duplicate is told that the end is not known.
   */
  readonly keptMs: number
}

/**
 * The store of the callback stage. An outcome outlives its identity in the dedup store, which counts its window from `requestedAt` where that lies ahead: whoever comes as a duplicate finds it.
 * What an end is still awaited for stays.
 */
export function outcomeStore({
  windowMs,
  keptMs,
}: OutcomeRetention): StoreDefinition<OutcomeEntry> {
  return {
    name: 'outcomes',
    kind: 'rocksdb',
    value: outcomeEntrySerde,
    changelogConfigs: { 'cleanup.policy': 'compact' },
    expiresAtMs: (_key, entry) => {
      if (entry.kind === 'mail') return entry.touchedMs + windowMs + keptMs
      if (entry.kind === 'page' || entry.pages > 0) return undefined
      if (entry.awaited && entry.end === null) return undefined
      return countedFromMs(entry) + windowMs + keptMs
    },
  }
}

/** Not before its identity's window begins. Whose `requestedAt` is not known may have one as far ahead as is allowed. */
function countedFromMs({ end, touchedMs }: Outcome): number {
  const latestMs = touchedMs + requestedAheadMaxMs
  return Math.max(touchedMs, Math.min(end?.requestedAtMs ?? latestMs, latestMs))
}

const optionalText = ['null', 'string']
const text = 'string'

const firstFields = [
  { name: 'sequence', type: 'int' },
  {
    name: 'end',
    type: [
      'null',
      {
        type: 'record',
        name: 'KnownEnd',
        fields: [
          { name: 'words', type: text },
          { name: 'messageId', type: optionalText },
          { name: 'requestedAtMs', type: 'long' },
          { name: 'atMs', type: 'long' },
        ],
      },
    ],
  },
  { name: 'pages', type: 'int' },
  { name: 'waiting', type: 'int' },
  { name: 'awaited', type: 'boolean' },
  { name: 'touchedMs', type: 'long' },
]
const laterTaker = {
  type: 'record',
  name: 'LaterTaker',
  fields: [
    { name: 'requestedAtMs', type: 'long' },
    { name: 'words', type: optionalText },
  ],
}

const outcomeTypeOf = (fields: readonly object[]): avro.Type =>
  avro.Type.forSchema({ type: 'record', name: 'Outcome', fields } as unknown as avro.Schema, {
    wrapUnions: 'never',
  })
const firstOutcomeType = outcomeTypeOf(firstFields)
const outcomeType = outcomeTypeOf([
  ...firstFields,
  { name: 'laterTakers', type: { type: 'array', items: laterTaker } },
])

const pageType = avro.Type.forSchema(
  {
    type: 'array',
    items: {
      type: 'record',
      name: 'WaitingDuplicate',
      fields: [
        { name: 'partition', type: 'int' },
        { name: 'offset', type: 'long' },
        { name: 'timestampMs', type: 'long' },
        {
          name: 'callback',
          type: {
            type: 'record',
            name: 'Callback',
            fields: [
              { name: 'context', type: { type: 'map', values: text } },
              { name: 'url', type: optionalText },
            ],
          },
        },
        {
          name: 'headers',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'Header',
              fields: [
                { name: 'key', type: text },
                { name: 'value', type: ['null', 'bytes'] },
              ],
            },
          },
        },
      ],
    },
  },
  { wrapUnions: 'never' },
)

/** Written by the first release: nobody had taken an identity anew. */
const firstOutcomeTag = 1
const pageTag = 2
const outcomeTag = 3
/** JSON: a newer release may have added fields. */
const mailTag = 16

/** Entries are encoded here first, because nobody knows before how long they are. */
let draft = Buffer.allocUnsafeSlow(1024)

function tagged(tag: number, type: avro.Type, value: unknown): Buffer {
  let end = type.encode(value, draft, 1)
  if (end < 0) {
    // So many bytes more; a page is bounded, so what it took is kept.
    draft = Buffer.allocUnsafeSlow(draft.length - end)
    end = type.encode(value, draft, 1)
  }
  draft[0] = tag
  const bytes = Buffer.allocUnsafe(end)
  draft.copy(bytes, 0, 0, end)
  return bytes
}

/** One byte that says which, then Avro. */
export const outcomeEntrySerde: Serde<OutcomeEntry> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (entry: OutcomeEntry) => {
    if (entry.kind === 'outcome') return tagged(outcomeTag, outcomeType, entry)
    return entry.kind === 'page'
      ? tagged(pageTag, pageType, entry.duplicates)
      : Buffer.concat([Buffer.from([mailTag]), Buffer.from(JSON.stringify(entry))])
  },
  deserialize: (bytes: Buffer): OutcomeEntry => {
    const body = bytes.subarray(1)
    if (bytes[0] === outcomeTag) {
      return { kind: 'outcome', ...(outcomeType.fromBuffer(body) as Omit<Outcome, 'kind'>) }
    }
    if (bytes[0] === firstOutcomeTag) {
      const first = firstOutcomeType.fromBuffer(body) as Omit<Outcome, 'kind' | 'laterTakers'>
      return { kind: 'outcome', ...first, laterTakers: [] }
    }
    if (bytes[0] === pageTag) {
      return { kind: 'page', duplicates: pageType.fromBuffer(body) as WaitingDuplicate[] }
    }
    if (bytes[0] === mailTag) return JSON.parse(body.toString('utf8')) as MailEntry
    throw new StreamsError(
      'STORE_UNREADABLE',
      `an outcome of the unknown kind ${bytes[0]}: a newer release wrote this store; run that one`,
    )
  },
})
