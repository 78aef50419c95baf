import { sleep, type Clock } from '../clock.ts'
import { describeError, StreamsError } from '../errors.ts'
import {
  RegistryHttp,
  registryErrorCode,
  registryMessage,
  type RegistryAnswer,
} from './registry-http.ts'
import { SchemaCache, type RegisteredSchema } from './schema-cache.ts'

/** Old and new readers and writers understand each other in every combination: all parties upgrade in any order. */
export const schemaCompatibility = 'FULL_TRANSITIVE'

/** 40401: no such subject. 40402: no such version. 40403: no such schema. */
const notFound = Object.freeze({ subject: 40_401, schema: 40_403 })

/** A registry that comes up answers 404 before it has read its own topic: one answer is not enough. */
const secondLookupMs = 5000

export interface SchemaRegistryOptions {
  /** Root of the Confluent-compatible interface; `user:password@` is allowed. */
  readonly url: string
  readonly clock: Clock
  /** Path of the cache file; its directory exists. */
  readonly cacheFile: string
  /** Longest wait for one answer, milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

export interface SchemaCheck {
  readonly subject: string
  /** `registered`: the registry has this very schema; `missing`: it knows no schema of the subject. */
  readonly result: 'registered' | 'compatible' | 'incompatible' | 'missing'
  /** The subject's compatibility rule; undefined when it has none of its own. */
  readonly compatibility: string | undefined
  /** Why it is incompatible, in the registry's words. */
  readonly messages: readonly string[]
}

/** A Confluent-compatible schema registry, remembered on disk. Every call may throw REGISTRY_UNAVAILABLE. */
export class SchemaRegistry {
  readonly #http: RegistryHttp
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #cache: SchemaCache

  private constructor(http: RegistryHttp, timeoutMs: number, clock: Clock, cache: SchemaCache) {
    this.#http = http
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#cache = cache
  }

  /** Reads the cache; asks nobody yet. Throws CONFIGURATION_INVALID for a URL that is none. */
  static async open(options: SchemaRegistryOptions): Promise<SchemaRegistry> {
    const timeoutMs = options.timeoutMs ?? 5000
    const http = new RegistryHttp(options.url, options.clock, timeoutMs)
    const cache = await SchemaCache.open(options.cacheFile, http.url)
    return new SchemaRegistry(http, timeoutMs, options.clock, cache)
  }

  get clock(): Clock {
    return this.#clock
  }

  /** Without credentials. */
  get url(): string {
    return this.#http.url
  }

  /** What is known of the id without asking. */
  cachedSchema(id: number): RegisteredSchema | undefined {
    return this.#cache.schema(id)
  }

  /**
   * The schema of an id; undefined when there is none: only when the registry says 404 with error code 40403 twice, 5
   * s apart.
   */
  async schemaById(id: number): Promise<RegisteredSchema | undefined> {
    const cached = this.#cache.schema(id)
    if (cached !== undefined) return cached
    let answer = await this.#http.get(`/schemas/ids/${id}`)
    if (registryErrorCode(answer) === notFound.schema) {
      await sleep(this.#clock, secondLookupMs)
      answer = await this.#http.get(`/schemas/ids/${id}`)
      if (answer.status === 404 && registryErrorCode(answer) === notFound.schema) return undefined
    }
    const schema = await this.#readSchema(answer)
    await this.#cache.putSchema(id, schema)
    return schema
  }

  /** The id under which this text is registered. SCHEMA_MISSING when it is not; nothing is ever registered here. */
  async idOf(subject: string, schemaText: string): Promise<number> {
    let id: number | undefined
    try {
      id = await this.#lookUp(subject, schemaText)
    } catch (error) {
      const cached = this.#cache.id(subject, schemaText)
      if (cached === undefined) throw error
      return cached
    }
    if (id === undefined)
      throw new StreamsError(
        'SCHEMA_MISSING',
        `${subject} does not have our schema in ${this.url}: run \`mailonce schemas register\``,
      )
    await this.#cache.putId(subject, schemaText, id)
    return id
  }

  /**
   * Sets the rule, then registers; a schema that is there already keeps its id. SCHEMA_INCOMPATIBLE when the registry
   * refuses it.
   */
  async register(subject: string, schemaText: string): Promise<number> {
    const ruled = await this.#setCompatibility(subject)
    const id = await this.#register(subject, schemaText)
    // Some registries know no rule for a subject that does not exist yet.
    if (!ruled && !(await this.#setCompatibility(subject)))
      throw this.#unexpected(await this.#http.get(`/config/${encodeURIComponent(subject)}`))
    await this.#cache.putId(subject, schemaText, id)
    return id
  }

  /** Compares with every registered version, and changes nothing. */
  async check(subject: string, schemaText: string): Promise<SchemaCheck> {
    const path = encodeURIComponent(subject)
    const config = await this.#http.get(`/config/${path}`)
    const { compatibilityLevel } = config.body as { compatibilityLevel?: string }
    const compatibility = config.status === 200 ? compatibilityLevel : undefined
    const result = (of: SchemaCheck['result'], messages: readonly string[] = []): SchemaCheck =>
      Object.freeze({ subject, result: of, compatibility, messages })
    if ((await this.#lookUp(subject, schemaText)) !== undefined) return result('registered')
    const versions = await this.#http.get(`/subjects/${path}/versions`)
    if (versions.status === 404) return result('missing')
    const answer = await this.#http.post(`/compatibility/subjects/${path}/versions?verbose=true`, {
      schema: schemaText,
    })
    if (answer.status === 422) return result('incompatible', [registryMessage(answer)])
    const { messages } = answer.body as { messages?: readonly unknown[] }
    return this.#field(answer, 'is_compatible', 'boolean') === true
      ? result('compatible')
      : result('incompatible', (messages ?? []).map(String))
  }

  async #register(subject: string, schemaText: string): Promise<number> {
    // The package takes 16 MB with all that it brings along, and a processor whose schemas are registered never needs it.
    const { RegistryClient, statusOf } = await import('./registry-client.ts')
    const { url, credentials } = this.#http
    const client = new RegistryClient(url, credentials, this.#clock, this.#timeoutMs)
    try {
      return await client.register(subject, schemaText)
    } catch (cause) {
      const refused = [409, 422].includes(statusOf(cause) ?? 0)
      const code = refused ? 'SCHEMA_INCOMPATIBLE' : 'REGISTRY_UNAVAILABLE'
      const what = refused ? subject : `schema registry ${this.url}`
      throw new StreamsError(code, `${what}: ${describeError(cause)}`, { cause })
    }
  }

  async #lookUp(subject: string, schemaText: string): Promise<number | undefined> {
    const answer = await this.#http.post(`/subjects/${encodeURIComponent(subject)}`, {
      schema: schemaText,
    })
    const code = registryErrorCode(answer)
    if (answer.status === 404 && (code === notFound.subject || code === notFound.schema))
      return undefined
    return this.#field(answer, 'id', 'number') as number
  }

  /** False when the subject does not exist. */
  async #setCompatibility(subject: string): Promise<boolean> {
    const answer = await this.#http.put(`/config/${encodeURIComponent(subject)}`, {
      compatibility: schemaCompatibility,
    })
    if (answer.status === 404) return false
    if (answer.status !== 200) throw this.#unexpected(answer)
    return true
  }

  async #readSchema(answer: RegistryAnswer): Promise<RegisteredSchema> {
    const schema = this.#field(answer, 'schema', 'string') as string
    const body = answer.body as { schemaType?: string; references?: readonly SchemaReference[] }
    const references: string[] = []
    for (const { subject, version } of body.references ?? []) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
      const referred = await this.#readSchema(await this.#http.get(path))
      references.push(...referred.references, referred.schema)
    }
    return { schemaType: body.schemaType ?? 'AVRO', references, schema }
  }

  #field(answer: RegistryAnswer, name: string, type: string): unknown {
    const value = ((answer.body ?? {}) as Record<string, unknown>)[name]
    if (answer.status !== 200 || typeof value !== type) throw this.#unexpected(answer)
    return value
  }

  #unexpected(answer: RegistryAnswer): StreamsError {
    return new StreamsError(
      'REGISTRY_UNAVAILABLE',
      `schema registry ${this.url}: ${registryMessage(answer)}`,
    )
  }
}

interface SchemaReference {
  readonly subject: string
  readonly version: number
}
