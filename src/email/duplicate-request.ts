import avro from 'avsc'
import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { FirstPlace } from './record-headers.ts'
import type { Callback } from './records.ts'

/** A request that took an identity anew while the one that has it was open: it is not carried out. */
export interface LaterTaker {
  readonly requestedAtMs: number
  /** What its duplicates are told: how it ended; null: as the request whose identity it took. */
  readonly words: string | null
}

/** A duplicate that asked for a callback, on its way from the stage that found it to the one that knows the original's outcome. */
export interface DuplicateRequest extends FirstPlace {
  readonly source: string
  readonly requestId: string
  /** null where nobody asked: it then only tells of the `taker`. */
  readonly callback: Callback | null
  /** Set where its identity had been forgotten and was taken anew by it, although the request that has it was still open. */
  readonly taker: LaterTaker | null
  readonly original: {
    /** Tells its end from one of an earlier request of the same identity. */
    readonly requestedAtMs: number
    /** Until when its identity is kept, milliseconds. */
    readonly knownUntilMs: number
  }
}

const callbackFields = [
  { name: 'context', type: { type: 'map', values: 'string' } },
  { name: 'url', type: ['null', 'string'] },
]
const placeAndOriginal = [
  { name: 'partition', type: 'int' },
  { name: 'offset', type: 'long' },
  { name: 'timestampMs', type: 'long' },
  {
    name: 'original',
    type: {
      type: 'record',
      name: 'Original',
      fields: [
        { name: 'requestedAtMs', type: 'long' },
        { name: 'knownUntilMs', type: 'long' },
      ],
    },
  },
]
const callback = { type: 'record', name: 'Callback', fields: callbackFields }
const taker = {
  type: 'record',
  name: 'LaterTaker',
  fields: [
    { name: 'requestedAtMs', type: 'long' },
    { name: 'words', type: ['null', 'string'] },
  ],
}
const ids = ['source', 'requestId'].map(name => ({ name, type: 'string' }))

const recordOf = (fields: readonly object[]): avro.Type =>
  avro.Type.forSchema(
    { type: 'record', name: 'DuplicateRequest', fields } as unknown as avro.Schema,
    { wrapUnions: 'never' },
  )

/** By format version; what an earlier release has written is still on its way when it is replaced. */
const types: Readonly<Record<number, avro.Type>> = {
  1: recordOf([...ids, { name: 'callback', type: callback }, ...placeAndOriginal]),
  2: recordOf([
    ...ids,
    { name: 'callback', type: ['null', callback] },
    { name: 'taker', type: ['null', taker] },
    ...placeAndOriginal,
  ]),
}
const formatVersion = 2

/** One version byte, then Avro: no larger than the request it came from, whatever the callback's context holds. */
export const duplicateRequestSerde: Serde<DuplicateRequest> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (duplicate: DuplicateRequest) =>
    Buffer.concat([Buffer.from([formatVersion]), types[formatVersion]!.toBuffer(duplicate)]),
  deserialize: (bytes: Buffer) => {
    const type = types[bytes[0] ?? 0]
    if (type === undefined) {
      throw new StreamsError('RECORD_UNDECODABLE', `a duplicate of the unknown format ${bytes[0]}`)
    }
    try {
      const duplicate = type.fromBuffer(bytes.subarray(1)) as DuplicateRequest
      return { ...duplicate, taker: duplicate.taker ?? null }
    } catch (cause) {
      throw new StreamsError('RECORD_UNDECODABLE', 'not a duplicate', { cause })
    }
  },
})
