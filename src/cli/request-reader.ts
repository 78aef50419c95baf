import { StreamsError } from '../errors.ts'
import { schemaText } from '../email/schemas.ts'
import type { EmailRequested } from '../email/records.ts'
import { plainReader } from './plain-value.ts'

export interface RequestReaderOptions {
  /** For requests that name none. Without it they are refused: an identity is never guessed. */
  readonly source: string | undefined
  readonly makeRequestId: () => string
  readonly nowMs: () => number
}

/** Reads requests as people and scripts write them. */
export class RequestReader {
  readonly #read = plainReader(schemaText('email.requested'))
  readonly #options: RequestReaderOptions

  constructor(options: RequestReaderOptions) {
    this.#options = options
  }

  /** One line of newline-delimited JSON. Throws REQUEST_INVALID with the path of the field. */
  fromLine(line: string): EmailRequested {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch (error) {
      throw new StreamsError('REQUEST_INVALID', `is no JSON: ${(error as SyntaxError).message}`)
    }
    return this.fromPlain(value)
  }

  /** Fills in what may be left out: `requestId`, `requestedAt` and, where one is configured, `source`. */
  fromPlain(value: unknown): EmailRequested {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new StreamsError('REQUEST_INVALID', 'has to be a JSON object')
    }
    const { source, makeRequestId, nowMs } = this.#options
    const filled = {
      ...(source === undefined ? {} : { source }),
      requestId: makeRequestId(),
      requestedAt: nowMs(),
      ...value,
    }
    return this.#read(filled, '') as EmailRequested
  }
}
