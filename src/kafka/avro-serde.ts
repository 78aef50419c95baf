import avro from 'avsc'
import { StreamsError } from '../errors.ts'
import type { Serde, ValueLayout } from '../serde.ts'
import { boundCounts } from './bounded-avro.ts'
import type { SchemaRegistry } from './registry.ts'
import type { RegisteredSchema } from './schema-cache.ts'

/** Magic byte 0, then the schema id in 4 bytes, big-endian, then Avro binary (Confluent's wire format). */
const headerBytes = 5
const magicByte = 0

/** How long the registry's word that an id does not exist is taken for true, milliseconds. */
const unknownForMs = 60_000

export interface AvroSerdeOptions {
  readonly registry: SchemaRegistry
  /** `<topic>-value` (TopicNameStrategy). */
  readonly subject: string
  /** Our schema: what is written, and what every other version is read as. */
  readonly schemaText: string
}

/** How the values of one writer's schema are read; a text says why they cannot be. */
type Reading =
  | { readonly resolver: avro.Resolver | undefined; readonly layout: ValueLayout }
  | { readonly refusal: string; readonly untilMs: number }

/**
 * Values in Confluent's wire format. Unions are plain values, times plain milliseconds, bytes Buffers. Looks up, and
 * never registers, the id of our schema: SCHEMA_MISSING, or REGISTRY_UNAVAILABLE when neither the registry nor its
 * cache knows.
 */
export async function createAvroSerde<T>(options: AvroSerdeOptions): Promise<Serde<T>> {
  const schemaId = await options.registry.idOf(options.subject, options.schemaText)
  return new AvroSerde<T>(options, schemaId)
}

class AvroSerde<T> implements Serde<T> {
  readonly #registry: SchemaRegistry
  readonly #subject: string
  readonly #schemaId: number
  readonly #type: avro.Type
  readonly #readings = new Map<number, Reading>()
  readonly #underway = new Map<number, Promise<void>>()
  #scratch = Buffer.allocUnsafe(16 * 1024)

  constructor({ registry, subject, schemaText }: AvroSerdeOptions, schemaId: number) {
    this.#registry = registry
    this.#subject = subject
    this.#schemaId = schemaId
    this.#type = parseType({ schemaType: 'AVRO', references: [], schema: schemaText })
    this.#readings.set(schemaId, { resolver: undefined, layout: layoutOf(this.#type) })
  }

  isReady(bytes: Buffer): boolean {
    const id = schemaIdOf(bytes)
    if (id === undefined || id === this.#schemaId) return true
    const reading = this.#readings.get(id) ?? this.#fromCache(id)
    if (reading === undefined) return false
    return !('refusal' in reading) || this.#registry.clock.monotonicMs() < reading.untilMs
  }

  /** One question an id, however many records wait for it. */
  async prepare(bytes: Buffer): Promise<void> {
    const id = schemaIdOf(bytes)
    if (id === undefined || this.isReady(bytes)) return
    let asking = this.#underway.get(id)
    if (asking === undefined) {
      asking = this.#ask(id).finally(() => this.#underway.delete(id))
      this.#underway.set(id, asking)
    }
    await asking
  }

  deserialize(bytes: Buffer): T {
    const id = schemaIdOf(bytes)
    if (id === undefined)
      throw undecodable(
        'not in the wire format of the schema registry: no magic byte and schema id',
      )
    const reading = this.#readings.get(id)
    if (reading === undefined)
      throw new StreamsError('INTERNAL', `schema ${id} has not been prepared`)
    if ('refusal' in reading) throw undecodable(reading.refusal)
    let decoded: { value: unknown; offset: number }
    try {
      decoded = this.#type.decode(bytes, headerBytes, reading.resolver)
    } catch (cause) {
      throw undecodable(`schema ${id}: ${(cause as Error).message}`, cause)
    }
    if (decoded.offset !== bytes.length)
      throw undecodable(`schema ${id}: ${decoded.offset < 0 ? 'too few' : 'too many'} bytes`)
    return decoded.value as T
  }

  serialize(value: T): Buffer {
    for (;;) {
      const scratch = this.#scratch
      const end = this.#encode(value, scratch)
      if (end >= 0) {
        scratch[0] = magicByte
        scratch.writeUInt32BE(this.#schemaId, 1)
        return Buffer.from(scratch.subarray(0, end))
      }
      // A negative end says by how much the bytes were too few.
      this.#scratch = Buffer.allocUnsafe((scratch.length - end) * 2)
    }
  }

  layoutOf(bytes: Buffer): ValueLayout | undefined {
    const reading = this.#readings.get(schemaIdOf(bytes) ?? -1)
    return reading !== undefined && 'layout' in reading ? reading.layout : undefined
  }

  #encode(value: T, scratch: Buffer): number {
    try {
      return this.#type.encode(value, scratch, headerBytes)
    } catch (cause) {
      throw new StreamsError(
        'INTERNAL',
        `not a value of ${this.#subject}: ${(cause as Error).message}`,
        { cause },
      )
    }
  }

  #fromCache(id: number): Reading | undefined {
    const schema = this.#registry.cachedSchema(id)
    return schema === undefined ? undefined : this.#learn(id, schema)
  }

  async #ask(id: number): Promise<void> {
    const schema = await this.#registry.schemaById(id)
    if (schema !== undefined) {
      this.#learn(id, schema)
      return
    }
    const untilMs = this.#registry.clock.monotonicMs() + unknownForMs
    this.#readings.set(id, { refusal: `the registry does not know schema ${id}`, untilMs })
  }

  #learn(id: number, schema: RegisteredSchema): Reading {
    const reading = this.#read(id, schema)
    this.#readings.set(id, reading)
    return reading
  }

  #read(id: number, schema: RegisteredSchema): Reading {
    try {
      const writer = parseType(schema)
      return { resolver: this.#type.createResolver(writer), layout: layoutOf(writer) }
    } catch (error) {
      const refusal = `schema ${id} cannot be read as ${this.#subject}: ${(error as Error).message}`
      return { refusal, untilMs: Number.POSITIVE_INFINITY }
    }
  }
}

function parseType({ schemaType, references, schema }: RegisteredSchema): avro.Type {
  if (schemaType !== 'AVRO') throw new TypeError(`it is ${schemaType}, not Avro`)
  const options = { wrapUnions: 'never', registry: {}, typeHook: boundCounts } as const
  for (const each of references) avro.Type.forSchema(JSON.parse(each) as avro.Schema, options)
  return avro.Type.forSchema(JSON.parse(schema) as avro.Schema, options)
}

function layoutOf(schema: avro.Type): ValueLayout {
  return { schema, start: headerBytes }
}

function schemaIdOf(bytes: Buffer): number | undefined {
  return bytes.length >= headerBytes && bytes[0] === magicByte ? bytes.readUInt32BE(1) : undefined
}

function undecodable(message: string, cause?: unknown): StreamsError {
  return new StreamsError('RECORD_UNDECODABLE', message, { cause })
}
