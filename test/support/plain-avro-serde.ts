import avro from 'avsc'
import { StreamsError } from '../../src/errors.ts'
import type { Serde } from '../../src/serde.ts'

/** Avro binary without a registry: the first version of a schema, written and read by itself. */
export function plainAvroSerde<T>(schemaText: string): Serde<T> {
  const type = avro.Type.forSchema(JSON.parse(schemaText) as avro.Schema, { wrapUnions: 'never' })
  const layout = { schema: type, start: 0 }
  return {
    isReady: () => true,
    prepare: () => Promise.resolve(),
    deserialize: bytes => {
      try {
        return type.fromBuffer(bytes) as T
      } catch (cause) {
        throw new StreamsError('RECORD_UNDECODABLE', 'not a value of this schema', { cause })
      }
    },
    serialize: value => type.toBuffer(value),
    layoutOf: () => layout,
  }
}
