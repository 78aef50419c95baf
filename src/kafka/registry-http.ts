import type { Clock } from '../clock.ts'
import { StreamsError, describeError } from '../errors.ts'

/** What the registry answered: the HTTP status and the JSON body, whatever it is. */
export interface RegistryAnswer {
  readonly status: number
  readonly body: unknown
}

/**
 * The registry's own number for an error; tells a missing schema from a missing page (Confluent's REST interface).
 */
export function registryErrorCode(answer: RegistryAnswer): number | undefined {
  const { error_code: code } = (answer.body ?? {}) as { error_code?: unknown }
  return typeof code === 'number' ? code : undefined
}

export function registryMessage(answer: RegistryAnswer): string {
  const { message } = (answer.body ?? {}) as { message?: unknown }
  return typeof message === 'string' ? `${answer.status}, ${message}` : `status ${answer.status}`
}

const contentType = 'application/vnd.schemaregistry.v1+json'

/**
 * Requests to a Confluent-compatible registry. Any answer below 500 that is JSON is an answer; everything else, 401,
 * 403 and 429 too, is REGISTRY_UNAVAILABLE: nobody knows what the registry would have said.
 */
export class RegistryHttp {
  /** Without credentials: this one may be printed. */
  readonly url: string
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  readonly #headers: Readonly<Record<string, string>>
  readonly #clock: Clock
  readonly #timeoutMs: number

  /** User and password may stand in the URL. Throws CONFIGURATION_INVALID for what is no http or https URL. */
  constructor(url: string, clock: Clock, timeoutMs: number) {
    if (!URL.canParse(url) || !/^https?:$/u.test(new URL(url).protocol))
      throw new StreamsError(
        'CONFIGURATION_INVALID',
        'the schema registry needs an http:// or https:// URL',
      )
    const parsed = new URL(url)
    const username = decodeURIComponent(parsed.username)
    const password = decodeURIComponent(parsed.password)
    const credentials = `${username}:${password}`
    this.credentials = credentials === ':' ? undefined : { username, password }
    this.#headers = {
      accept: contentType,
      ...(credentials !== ':' && {
        authorization: `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`,
      }),
    }
    parsed.username = ''
    parsed.password = ''
    this.url = parsed.href.replace(/\/+$/u, '')
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  get(path: string): Promise<RegistryAnswer> {
    return this.#request('GET', path, undefined)
  }

  post(path: string, body: unknown): Promise<RegistryAnswer> {
    return this.#request('POST', path, body)
  }

  put(path: string, body: unknown): Promise<RegistryAnswer> {
    return this.#request('PUT', path, body)
  }

  async #request(method: string, path: string, body: unknown): Promise<RegistryAnswer> {
    const timeout = new AbortController()
    const cancel = this.#clock.schedule(this.#timeoutMs, () =>
      timeout.abort(new Error('no answer in time')),
    )
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        headers: { ...this.#headers, ...(body !== undefined && { 'content-type': contentType }) },
        body: body === undefined ? null : JSON.stringify(body),
        signal: timeout.signal,
      })
      const answer = { status: response.status, body: parseJson(await response.text()) }
      const refused = [401, 403, 407, 408, 429].includes(answer.status) || answer.status >= 500
      if (refused || answer.body === undefined) throw new Error(registryMessage(answer))
      return answer
    } catch (cause) {
      const reason = describeError(cause)
      throw new StreamsError('REGISTRY_UNAVAILABLE', `schema registry ${this.url}: ${reason}`, {
        cause,
      })
    } finally {
      cancel()
    }
  }
}

/** A proxy's error page is no answer of the registry. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
