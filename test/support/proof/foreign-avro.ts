import avro from 'avsc'
import { schemaText, subjectOf, type SchemaTopic } from '../../../src/email/schemas.ts'

/** Values of a topic in Confluent's wire format, put together by hand as any other team's client would. */
export class ForeignAvro<T> {
  readonly #type: avro.Type
  readonly #schemaId: number

  private constructor(type: avro.Type, schemaId: number) {
    this.#type = type
    this.#schemaId = schemaId
  }

  static async open<T>(registryUrl: string, topic: SchemaTopic): Promise<ForeignAvro<T>> {
    const response = await fetch(`${registryUrl}/subjects/${subjectOf(topic)}/versions/latest`)
    const { id } = (await response.json()) as { id: number }
    const schema = JSON.parse(schemaText(topic)) as avro.Schema
    return new ForeignAvro(avro.Type.forSchema(schema, { wrapUnions: 'never' }), id)
  }

  encode(value: T): Buffer {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(this.#schemaId, 1)
    return Buffer.concat([head, this.#type.toBuffer(value)])
  }

  decode(bytes: Buffer): T {
    return this.#type.fromBuffer(bytes.subarray(5)) as T
  }
}
