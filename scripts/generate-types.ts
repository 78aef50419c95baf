import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/**
 * Writes `src/email/records.ts` from `schemas/*.avsc`: the records' types are said once, in the schemas. A test compares
 * the committed file with what this makes.
 */

interface NamedSchema {
  readonly type: 'record' | 'enum'
  readonly name: string
  readonly doc?: string
  readonly symbols?: readonly string[]
  readonly fields?: readonly {
    readonly name: string
    readonly type: Schema
    readonly doc?: string
  }[]
}
type Schema =
  | string
  | readonly Schema[]
  | NamedSchema
  | { readonly type: 'array'; readonly items: Schema }
  | { readonly type: 'map'; readonly values: Schema }
  | { readonly type: 'long'; readonly logicalType: string }

const primitives: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  bytes: 'Buffer',
  string: 'string',
}

/** The formatter breaks a longer line. */
const printWidth = 100

function comment(doc: string | undefined, indent: string): string {
  return doc === undefined ? '' : `${indent}/** ${doc} */\n`
}

/** Declarations by name, in the order in which they are met: what a record uses stands before it. */
class Declarations {
  readonly #texts = new Map<string, string>()

  text(): string {
    return [...this.#texts.values()].join('\n')
  }

  typeOf(schema: Schema): string {
    if (typeof schema === 'string') return primitives[schema] ?? schema
    if (Array.isArray(schema)) {
      const branches = (schema as readonly Schema[]).map(branch => this.typeOf(branch))
      return branches.toSorted((a, b) => Number(a === 'null') - Number(b === 'null')).join(' | ')
    }
    const complex = schema as Exclude<Schema, string | readonly Schema[]>
    if (complex.type === 'array') return `readonly ${this.typeOf(complex.items)}[]`
    if (complex.type === 'map') return `Readonly<Record<string, ${this.typeOf(complex.values)}>>`
    if (complex.type === 'long') return 'number'
    return this.#declare(complex)
  }

  #declare(schema: NamedSchema): string {
    const text = schema.type === 'enum' ? enumText(schema) : this.#recordText(schema)
    const before = this.#texts.get(schema.name)
    if (before !== undefined && before !== text) {
      throw new Error(`${schema.name} is not the same in every schema`)
    }
    this.#texts.set(schema.name, text)
    return schema.name
  }

  #recordText(schema: NamedSchema): string {
    const fields = (schema.fields ?? []).map(field => {
      const unit =
        JSON.stringify(field.type).includes('timestamp-millis') && field.doc === undefined
          ? 'Milliseconds since the epoch.'
          : field.doc
      return `${comment(unit, '  ')}  readonly ${field.name}: ${this.typeOf(field.type)}\n`
    })
    return `${comment(schema.doc, '')}export interface ${schema.name} {\n${fields.join('')}}\n`
  }
}

function enumText(schema: NamedSchema): string {
  const symbols = (schema.symbols ?? []).map(symbol => `'${symbol}'`)
  const head = `export type ${schema.name} =`
  const oneLine = `${head} ${symbols.join(' | ')}`
  const lines = oneLine.length <= printWidth ? oneLine : `${head}\n  | ${symbols.join('\n  | ')}`
  return `${comment(schema.doc, '')}${lines}\n`
}

/** The text of `records.ts` from the schemas of a directory. */
export function generateTypes(schemaDirectory: URL): string {
  const declarations = new Declarations()
  const files = readdirSync(schemaDirectory).filter(name => name.endsWith('.avsc'))
  for (const file of files.toSorted()) {
    declarations.typeOf(
      JSON.parse(readFileSync(new URL(file, schemaDirectory), 'utf8')) as NamedSchema,
    )
  }
  return `// Written by scripts/generate-types.ts from schemas/*.avsc: change those.\n\n${declarations.text()}`
}

if (import.meta.main) {
  const text = generateTypes(new URL('../schemas/', import.meta.url))
  writeFileSync(new URL('../src/email/records.ts', import.meta.url), text)
}
