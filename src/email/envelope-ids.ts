import { createHmac, timingSafeEqual } from 'node:crypto'
import { StreamsError } from '../errors.ts'
import { identityOf, nameOf, type RequestName } from './identity.ts'

/** RFC 3461 section 4.4: an ENVID has at most 100 characters; these need no xtext escapes. */
const lengthMax = 100
const prefix = 'm1.'
/** 96 bits: nobody guesses them, and nobody has to find a second text for them. */
const tagBytes = 12
const keyLengthMin = 16
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Names of requests as envelope ids (RFC 3461, ENVID): the name itself and a keyed hash of it. A report that comes back with one
 * needs no table to be understood, and one that nobody has been given cannot be made: so nobody can report what was
 * not mailed.
 */
export class EnvelopeIds {
  readonly #key: string

  /** Throws CONFIGURATION_INVALID for a key of less than 16 characters. */
  constructor(key: string) {
    if (key.length < keyLengthMin)
      throw new StreamsError(
        'CONFIGURATION_INVALID',
        `bounces.key has ${key.length} characters: ${keyLengthMin} or more keep it from being guessed`,
      )
    this.#key = key
  }

  /** Null for a name that is too long: about 58 bytes of source and request id fit, or a UUID and a source of 43. */
  of({ source, requestId }: RequestName): string | null {
    const isUuid = uuid.test(requestId)
    const name = isUuid
      ? Buffer.concat([
          Buffer.from([1]),
          Buffer.from(requestId.replaceAll('-', ''), 'hex'),
          Buffer.from(source),
        ])
      : Buffer.concat([Buffer.from([0]), Buffer.from(identityOf({ source, requestId }))])
    const id = `${prefix}${name.toString('base64url')}.${this.#tag(name).toString('base64url')}`
    return id.length <= lengthMax ? id : null
  }

  /** Undefined for what this key has not signed. */
  read(id: string): RequestName | undefined {
    const [, nameText = '', tagText = ''] =
      /^m1\.([\w-]+)\.([\w-]+)$/.exec(id.length <= lengthMax ? id : '') ?? []
    const name = Buffer.from(nameText, 'base64url')
    const tag = Buffer.from(tagText, 'base64url')
    // One spelling alone: base64 has several for the same bytes.
    if (name.toString('base64url') !== nameText || tag.toString('base64url') !== tagText)
      return undefined
    if (tag.length !== tagBytes || !timingSafeEqual(tag, this.#tag(name))) return undefined
    return nameIn(name)
  }

  #tag(name: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(name).digest().subarray(0, tagBytes)
  }
}

function nameIn(name: Buffer): RequestName {
  if (name[0] === 1) {
    const hex = name.toString('hex', 1, 17)
    const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
    return { requestId: [...parts, hex.slice(20)].join('-'), source: name.toString('utf8', 17) }
  }
  return nameOf(name.toString('utf8', 1))
}
