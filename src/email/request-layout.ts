import avro from 'avsc'

import { type Skip, skipOf } from './avro-skip.ts'
import type { EmailRequested } from './records.ts'
import { schemaText } from './schemas.ts'

/** How a writer's schema lays a request out. */
export interface RequestLayout {
  /** The texts in front of the content, by their names: request id and source are two of them. */
  readonly texts: readonly string[]
  /** What stands behind it. */
  readonly rest: readonly { readonly name: string; readonly skip: Skip }[]
}

/** The fields that make the mail, as the first version of the schema has them: in this order, and next to each other. */
const texts = { type: 'array', items: 'string' }
const contentFields: readonly { readonly name: keyof EmailRequested; readonly type: unknown }[] = [
  { name: 'to', type: texts },
  { name: 'cc', type: texts },
  { name: 'bcc', type: texts },
  { name: 'from', type: ['null', 'string'] },
  { name: 'replyTo', type: ['null', 'string'] },
  { name: 'subject', type: 'string' },
  { name: 'text', type: ['null', 'string'] },
  { name: 'html', type: ['null', 'string'] },
  { name: 'headers', type: { type: 'map', values: 'string' } },
  {
    name: 'attachments',
    type: {
      type: 'array',
      items: {
        type: 'record',
        name: 'email.Attachment',
        fields: [
          { name: 'filename', type: 'string' },
          { name: 'contentType', type: 'string' },
          { name: 'content', type: 'bytes' },
        ],
      },
    },
  },
]
const contentTypes = contentFields.map(({ type }) =>
  canonical(avro.Type.forSchema(type as avro.Schema, { wrapUnions: 'never' })),
)

/** Types of our own fields: a writer may leave fields out and have others, but a field of ours is walked over as ours. */
const ourTypes = new Map(
  fieldsOf(avro.Type.forSchema(JSON.parse(schemaText('email.requested')) as avro.Schema)).map(
    ({ name, type }) => [name, canonical(type)],
  ),
)

/**
 * The layout of what a schema writes, where it is like that of the first version: the content in order and in one piece, behind nothing
 * but texts. Undefined where it is not.
 */
export function requestLayout(schema: object): RequestLayout | undefined {
  if (!(schema instanceof avro.types.RecordType)) return undefined
  const fields = fieldsOf(schema)
  const start = fields.findIndex(({ name }) => name === contentFields[0]!.name)
  if (start < 0) return undefined
  const before = fields.slice(0, start)
  const names = before.map(({ name }) => name)
  const isContent = contentFields.every(({ name }, index) => {
    const field = fields[start + index]
    return field?.name === name && canonical(field.type) === contentTypes[index]
  })
  const isBehindTexts = before.every(({ type }) => type.typeName === 'string')
  const isNamed = names.includes('requestId') && names.includes('source')
  if (!isContent || !isBehindTexts || !isNamed) return undefined
  const rest: { name: string; skip: Skip }[] = []
  for (const { name, type } of fields.slice(start + contentFields.length)) {
    const skip = skipOf(type)
    const ours = ourTypes.get(name)
    if (skip === undefined || (ours !== undefined && ours !== canonical(type))) return undefined
    rest.push({ name, skip })
  }
  return rest.some(({ name }) => name === 'requestedAt') ? { texts: names, rest } : undefined
}

function fieldsOf(type: avro.Type): readonly avro.types.Field[] {
  return (type as avro.types.RecordType).fields
}

/** Avro's canonical form: names, shapes and symbols, without documentation and defaults. */
function canonical(type: avro.Type): string {
  return JSON.stringify(type.schema())
}
