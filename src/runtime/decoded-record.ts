import { StreamsError } from '../errors.ts'
import type { SourceNode, StreamRecord } from '../topology/topology.ts'
import type { ConsumedRecord } from './ports.ts'

/** A record ready to run: decoded, or with the reason why it cannot be. */
export type Decoded =
  | { readonly from: ConsumedRecord; readonly record: StreamRecord }
  | { readonly from: ConsumedRecord; readonly error: StreamsError }

export function decode(
  from: ConsumedRecord,
  keySerde: SourceNode['topic']['key'],
  valueSerde: SourceNode['topic']['value'],
): Decoded {
  try {
    if (from.value === null) throw new StreamsError('RECORD_UNDECODABLE', 'the value is null')
    const key = from.key === null ? null : keySerde.deserialize(from.key)
    const value = valueSerde.deserialize(from.value)
    const { timestampMs, headers } = from
    return {
      from,
      record: {
        key,
        value,
        timestampMs,
        headers,
        raw: { key, value, keyBytes: from.key, valueBytes: from.value },
      },
    }
  } catch (error) {
    if (error instanceof StreamsError && error.code === 'RECORD_UNDECODABLE') return { from, error }
    throw error
  }
}
