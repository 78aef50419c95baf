import { StreamsError } from '../errors.ts'

/** An Avro schema as its JSON says it, as far as ours go. */
type AvroSchema = string | readonly AvroSchema[] | AvroObject

interface AvroObject {
  readonly type: string
  readonly name?: string
  readonly logicalType?: string
  readonly items?: AvroSchema
  readonly values?: AvroSchema
  readonly symbols?: readonly string[]
  readonly fields?: readonly AvroField[]
}

interface AvroField {
  readonly name: string
  readonly type: AvroSchema
  readonly default?: unknown
}

/** Turns a plain JSON value into what the Avro encoder takes. Throws REQUEST_INVALID, beginning with the path. */
export type PlainReader = (value: unknown, path: string) => unknown

/**
 * Makes a reader of plain values from a schema: no union is named, bytes are base64, timestamps ISO 8601 or milliseconds,
 * what has a default may be left out and what the schema does not know is refused. The schema alone decides, so a field that
 * is added to it can be sent at once.
 */
export function plainReader(schemaText: string): PlainReader {
  return compile(JSON.parse(schemaText) as AvroSchema, new Map())
}

function compile(schema: AvroSchema, named: Map<string, PlainReader>): PlainReader {
  if (typeof schema === 'string') return named.get(schema) ?? scalarReader(schema)
  if (isUnion(schema)) return unionReader(schema, named)
  const reader = complexReader(schema, named)
  if (schema.name !== undefined) named.set(schema.name, reader)
  return reader
}

function isUnion(schema: AvroSchema): schema is readonly AvroSchema[] {
  return Array.isArray(schema)
}

function complexReader(schema: AvroObject, named: Map<string, PlainReader>): PlainReader {
  if (schema.logicalType === 'timestamp-millis') return readTime
  switch (schema.type) {
    case 'record':
      return recordReader(schema.fields ?? [], named)
    case 'enum':
      return enumReader(schema.symbols ?? [])
    case 'array': {
      const item = compile(schema.items ?? 'null', named)
      return (value, path) => {
        if (!Array.isArray(value)) throw wrong(path, 'a list', value)
        return value.map((each: unknown, index) => item(each, `${path}[${index}]`))
      }
    }
    case 'map': {
      const member = compile(schema.values ?? 'null', named)
      return (value, path) => {
        if (!isObject(value)) throw wrong(path, 'an object', value)
        const entries = Object.entries(value)
        return Object.fromEntries(
          entries.map(([key, each]) => [key, member(each, below(path, key))]),
        )
      }
    }
    default:
      return compile(schema.type, named)
  }
}

function unionReader(schema: readonly AvroSchema[], named: Map<string, PlainReader>): PlainReader {
  const [only, ...more] = schema.filter(branch => branch !== 'null')
  if (only === undefined || more.length > 0) {
    throw new StreamsError('INTERNAL', 'a union of a schema has to be null and one type')
  }
  const reader = compile(only, named)
  return (value, path) => (value === null ? null : reader(value, path))
}

function recordReader(fields: readonly AvroField[], named: Map<string, PlainReader>): PlainReader {
  const readers = fields.map(field => ({ ...field, read: compile(field.type, named) }))
  const names = new Set(fields.map(field => field.name))
  return (value, path) => {
    if (!isObject(value)) throw wrong(path, 'an object', value)
    for (const key of Object.keys(value)) {
      if (names.has(key)) continue
      throw invalid(below(path, key), `is no known field; allowed are ${[...names].join(', ')}`)
    }
    const record: Record<string, unknown> = {}
    for (const field of readers) {
      const given = value[field.name]
      if (given !== undefined) record[field.name] = field.read(given, below(path, field.name))
      else if (field.default !== undefined) record[field.name] = field.default
      else throw invalid(below(path, field.name), 'is missing')
    }
    return record
  }
}

function enumReader(symbols: readonly string[]): PlainReader {
  return (value, path) => {
    if (typeof value === 'string' && symbols.includes(value)) return value
    throw wrong(path, symbols.join(' or '), value)
  }
}

function scalarReader(type: string): PlainReader {
  switch (type) {
    case 'string':
      return readText
    case 'bytes':
      return readBytes
    case 'boolean':
      return (value, path) => {
        if (typeof value !== 'boolean') throw wrong(path, 'true or false', value)
        return value
      }
    case 'int':
    case 'long':
      return (value, path) => {
        if (!Number.isSafeInteger(value)) throw wrong(path, 'a whole number', value)
        return value
      }
    default:
      throw new StreamsError('INTERNAL', `plain values of the type ${type} are not known`)
  }
}

const readText: PlainReader = (value, path) => {
  if (typeof value !== 'string') throw wrong(path, 'a text', value)
  // Half a surrogate pair has no UTF-8: it would arrive as another text.
  if (!value.isWellFormed()) throw invalid(path, 'is no valid Unicode')
  return value
}

const readBytes: PlainReader = (value, path) => {
  const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
  if (typeof value !== 'string' || !base64.test(value)) throw wrong(path, 'bytes in base64', value)
  return Buffer.from(value, 'base64')
}

const isoTime =
  /^(?<date>\d{4}-\d{2}-\d{2})(?<time>[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?(?<zone>[Zz]|[+-]\d{2}:\d{2})?$/

const readTime: PlainReader = (value, path) => {
  const milliseconds = typeof value === 'string' ? timeOf(value) : value
  if (typeof milliseconds === 'number' && Number.isSafeInteger(milliseconds) && milliseconds >= 0) {
    return milliseconds
  }
  throw wrong(path, 'a time in ISO 8601, such as 2030-01-31T12:00:00Z, or in milliseconds', value)
}

/** Milliseconds since the epoch; UTC where the text names no offset. */
function timeOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const { date = '', time, zone = 'Z' } = isoTime.exec(text)?.groups ?? {}
  // Date.parse takes the 30th of February for the 2nd of March.
  const day = new Date(`${date}T00:00:00Z`)
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date)) return NaN
  return time === undefined
    ? day.getTime()
    : Date.parse(`${date}T${time.slice(1)}${zone.toUpperCase()}`)
}

function below(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(path: string, expected: string, value: unknown): StreamsError {
  return invalid(path, `has to be ${expected}, not ${shortText(value)}`)
}

function invalid(path: string, message: string): StreamsError {
  return new StreamsError('REQUEST_INVALID', `${path === '' ? 'the request' : path} ${message}`)
}

function shortText(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
