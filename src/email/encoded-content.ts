import avro from 'avsc'

import type { ValueLayout } from '../serde.ts'
import type { EmailRequested } from './records.ts'

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
const typeTexts = contentFields.map(({ type }) =>
  canonical(avro.Type.forSchema(type as avro.Schema)),
)

/** How many texts stand before the content; undefined where it does not lie in one piece. */
const textsBefore = new WeakMap<ValueLayout, { readonly count: number } | undefined>()

/**
 * The bytes of the content as they stand in a value, where encoding the decoded content would give the same ones, so that a hash of
 * them is the content's; undefined where it would not, or might not. `value` is what was decoded from them.
 *
 * 1. The writer's schema has the fields of the first version, in order and in one piece, behind nothing but texts.
 * 2. Every length, count and branch has the one form that our encoder writes: no blocks with sizes, no number longer than it need be.
 * 3. No text has U+FFFD, which stands for bytes that are no UTF-8, and which would be written instead of them.
 * 4. There are no headers: they would have to be in order, and each only once.
 */
export function encodedContent(
  layout: ValueLayout | undefined,
  bytes: Buffer,
  value: EmailRequested,
): Buffer | undefined {
  if (layout === undefined) return undefined
  if (!textsBefore.has(layout)) textsBefore.set(layout, placeOf(layout.schema))
  const before = textsBefore.get(layout)
  if (before === undefined || isAltered(value)) return undefined
  const walk = new Walk(bytes, layout.start)
  for (let count = 0; count < before.count; count += 1) walk.bytes()
  const start = walk.at
  walk.content()
  return walk.failed ? undefined : bytes.subarray(start, walk.at)
}

function placeOf(schema: object): { readonly count: number } | undefined {
  if (!(schema instanceof avro.types.RecordType)) return undefined
  const { fields } = schema
  const count = fields.findIndex(({ name }) => name === contentFields[0]!.name)
  const isContent = contentFields.every(({ name }, index) => {
    const field = fields[count + index]
    return field?.name === name && canonical(field.type) === typeTexts[index]
  })
  const isBehindTexts = fields
    .slice(0, Math.max(count, 0))
    .every(({ type }) => type instanceof avro.types.StringType)
  return count >= 0 && isContent && isBehindTexts ? { count } : undefined
}

/** Avro's canonical form: names, shapes and symbols, without documentation and defaults. */
function canonical(type: avro.Type): string {
  return JSON.stringify(type.schema())
}

const replacement = '\uFFFD'

/** True when some of the bytes may have been no UTF-8. Next to nothing for texts that are Latin-1, which nearly all are. */
function isAltered(request: EmailRequested): boolean {
  const { to, cc, bcc, from, replyTo, subject, text, html, attachments } = request
  return (
    subject.includes(replacement) ||
    (text?.includes(replacement) ?? false) ||
    (html?.includes(replacement) ?? false) ||
    (from?.includes(replacement) ?? false) ||
    (replyTo?.includes(replacement) ?? false) ||
    to.some(isReplaced) ||
    cc.some(isReplaced) ||
    bcc.some(isReplaced) ||
    attachments.some(each => isReplaced(each.filename) || isReplaced(each.contentType))
  )
}

function isReplaced(text: string): boolean {
  return text.includes(replacement)
}

/** Over Avro binary in the form that our encoder writes; whatever else it meets, it fails. */
class Walk {
  readonly #bytes: Buffer
  at: number
  failed = false

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.at = start
  }

  content(): void {
    for (let lists = 0; lists < 3; lists += 1) this.#list(1)
    this.#optional()
    this.#optional()
    this.bytes()
    this.#optional()
    this.#optional()
    if (this.#number() !== 0) this.failed = true
    this.#list(3)
  }

  /** Of a text, or of bytes. */
  bytes(): void {
    const length = this.#number()
    this.at += length
  }

  #optional(): void {
    const branch = this.#bytes[this.at]
    this.at += 1
    if (branch === 2) this.bytes()
    else if (branch !== 0) this.failed = true
  }

  /** One block of items, and the end. */
  #list(partsPerItem: number): void {
    const count = this.#number()
    if (count === 0) return
    for (let parts = count * partsPerItem; parts > 0 && !this.failed; parts -= 1) this.bytes()
    if (this.#number() !== 0) this.failed = true
  }

  /** 0 and failure for what is negative, longer than it need be, or more than 2^27. */
  #number(): number {
    let number = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.at] ?? 0x80
      this.at += 1
      number |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if ((byte === 0 && shift > 0) || number % 2 === 1) break
      return number >>> 1
    }
    this.failed = true
    return 0
  }
}
