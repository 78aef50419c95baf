import { createHash } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { StreamsError } from '../errors.ts'

/** A schema as the registry has it, its references resolved. */
export interface RegisteredSchema {
  readonly schemaType: string
  /** Schemas that `schema` refers to by name, in the order in which they need each other. */
  readonly references: readonly string[]
  readonly schema: string
}

interface CacheFile {
  readonly registry: string
  readonly schemas: Record<string, RegisteredSchema>
  readonly ids: Record<string, number>
}

/**
 * What the registry has said once is true for ever: an id never changes its schema. So it is kept in one small file,
 * and a restart needs no registry. The file names the registry it is about: ids of another one mean other schemas.
 */
export class SchemaCache {
  readonly #path: string
  readonly #content: CacheFile
  #writing: Promise<void> = Promise.resolve()

  private constructor(path: string, content: CacheFile) {
    this.#path = path
    this.#content = content
  }

  /** A file that is missing, damaged or about another registry is an empty cache. */
  static async open(path: string, registryUrl: string): Promise<SchemaCache> {
    const content = await readFile(path, 'utf8').then(parseContent, () => undefined)
    const empty = { registry: registryUrl, schemas: {}, ids: {} }
    return new SchemaCache(path, content?.registry === registryUrl ? content : empty)
  }

  schema(id: number): RegisteredSchema | undefined {
    return this.#content.schemas[id]
  }

  /** The id under which this very text is registered. */
  id(subject: string, schemaText: string): number | undefined {
    return this.#content.ids[idKey(subject, schemaText)]
  }

  /** Resolves once it is on the disk. DISK_FULL, or CONFIGURATION_INVALID where the file cannot be written. */
  async putSchema(id: number, schema: RegisteredSchema): Promise<void> {
    this.#content.schemas[id] = schema
    await this.#save()
  }

  async putId(subject: string, schemaText: string, id: number): Promise<void> {
    this.#content.ids[idKey(subject, schemaText)] = id
    await this.#save()
  }

  /** One writer at a time; each writes all there is. */
  #save(): Promise<void> {
    const saved = this.#writing.then(() =>
      writeAtomically(this.#path, JSON.stringify(this.#content)),
    )
    this.#writing = saved.catch(() => undefined)
    return saved
  }
}

function idKey(subject: string, schemaText: string): string {
  return `${subject} ${createHash('sha256').update(schemaText).digest('hex')}`
}

function parseContent(text: string): CacheFile | undefined {
  try {
    const content = JSON.parse(text) as Partial<CacheFile> | null
    const complete = typeof content?.schemas === 'object' && typeof content.ids === 'object'
    return complete ? (content as CacheFile) : undefined
  } catch {
    return undefined
  }
}

/** The old file or the new one, whatever happens in between. */
async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  try {
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code === 'ENOSPC') throw new StreamsError('DISK_FULL', `no room for ${path}`, { cause })
    throw new StreamsError('CONFIGURATION_INVALID', `${path} cannot be written: ${String(code)}`, {
      cause,
    })
  }
}
