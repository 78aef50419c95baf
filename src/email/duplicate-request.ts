import avro from 'avsc'
import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { FirstPlace } from './record-headers.ts'
import type { Callback } from './records.ts'

/** A duplicate that asked for a callback, on its way from the stage that found it to the one that knows the original's outcome. */
export interface DuplicateRequest extends FirstPlace {
  readonly source: string
  readonly requestId: string
  readonly callback: Callback
  readonly original: {
    /** Tells its end from one of an earlier request of the same identity. */
    readonly requestedAtMs: number
    /** Until when its identity is kept, milliseconds. */
    readonly knownUntilMs: number
  }
}

const formatVersion = 1

const type = avro.Type.forSchema(
  {
    type: 'record',
    name: 'DuplicateRequest',
    fields: [
      { name: 'source', type: 'string' },
      { name: 'requestId', type: 'string' },
      {
        name: 'callback',
        type: {
          type: 'record',
          name: 'Callback',
          fields: [
            { name: 'context', type: { type: 'map', values: 'string' } },
            { name: 'url', type: ['null', 'string'] },
          ],
        },
      },
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
    ],
  },
  { wrapUnions: 'never' },
)

/** One version byte, then Avro: no larger than the request it came from, whatever the callback's context holds. */
export const duplicateRequestSerde: Serde<DuplicateRequest> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (duplicate: DuplicateRequest) =>
    Buffer.concat([Buffer.from([formatVersion]), type.toBuffer(duplicate)]),
  deserialize: (bytes: Buffer) => {
    if (bytes[0] !== formatVersion) {
      throw new StreamsError('RECORD_UNDECODABLE', `a duplicate of the unknown format ${bytes[0]}`)
    }
    try {
      return type.fromBuffer(bytes.subarray(1)) as DuplicateRequest
    } catch (cause) {
      throw new StreamsError('RECORD_UNDECODABLE', 'not a duplicate', { cause })
    }
  },
})
