import { fmix32 } from '../fmix32.ts'
import type { RecordHeader } from '../topology/topology.ts'
import { type FirstPlace, headerNames } from './record-headers.ts'

// Version 00 has exactly these four fields; an id of zeros alone is invalid (W3C Trace Context, section 3.2.2).
const traceparentPattern =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

/**
 * The trace of the request: its own, or one made of the seed, which must be the same on every replay so that nothing
 * that is produced again differs.
 */
export function traceHeaders(headers: readonly RecordHeader[], seed: () => string): RecordHeader[] {
  return ownTrace(headers) ?? [newTrace(seed())]
}

/** The headers of a trace that came with the request; undefined when none did. */
export function ownTrace(headers: readonly RecordHeader[]): RecordHeader[] | undefined {
  if (headers.length === 0) return undefined
  let traceparent: RecordHeader | undefined
  let hasState = false
  for (let index = 0; index < headers.length; index += 1) {
    const header = headers[index]!
    if (header.key === headerNames.traceparent) traceparent ??= header
    else if (header.key === headerNames.tracestate) hasState = true
  }
  if (traceparent === undefined || !isTraceparent(traceparent)) return undefined
  if (!hasState) return [traceparent]
  return headers.filter(each => each === traceparent || each.key === headerNames.tracestate)
}

function isTraceparent({ value }: RecordHeader): boolean {
  return traceparentPattern.test(value?.toString('latin1') ?? '')
}

/** What makes a new trace of a request: the same words on every replay. */
export function traceSeed(identity: string, place: FirstPlace): string {
  return `${identity}\0${place.partition}\0${place.offset}\0${place.timestampMs}`
}

const form = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`)
const traceIdAt = 3
const parentIdAt = 36
const hexDigits = Buffer.from('0123456789abcdef')

/** `place` are the headers that say partition, offset and time of a place: with an identity they are the seed that `traceSeed` makes. */
export function newTrace(seed: string, ...place: readonly RecordHeader[]): RecordHeader {
  seedHash.begin()
  seedHash.text(seed)
  for (let index = 0; index < place.length; index += 1) seedHash.afterNul(place[index]!.value!)
  return { key: headerNames.traceparent, value: seedHash.traceparent() }
}

/**
 * Ids need to be different and spread, not hard to guess, so four FNV-1a hashes of their own multipliers, mixed as murmur3 ends,
 * do for a digest: a tenth of the time of SHA-256, which every request without a trace would pay.
 */
class SeedHash {
  #a = 0
  #b = 0
  #c = 0
  #d = 0

  begin(): void {
    this.#a = 0x811c9dc5 | 0
    this.#b = 0x9747b28c | 0
    this.#c = 0x2545f491
    this.#d = 0x6a09e667
  }

  text(text: string): void {
    let a = this.#a
    let b = this.#b
    let c = this.#c
    let d = this.#d
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index)
      a = Math.imul(a ^ unit, 0x01000193)
      b = Math.imul(b ^ unit, 0x5bd1e995)
      c = Math.imul(c ^ unit, 0x85ebca6b)
      d = Math.imul(d ^ unit, 0xc2b2ae35)
    }
    this.#keep(a, b, c, d)
  }

  /** A NUL and a text of ASCII, which is that of its bytes. */
  afterNul(bytes: Buffer): void {
    let a = this.#a
    let b = this.#b
    let c = this.#c
    let d = this.#d
    for (let index = -1; index < bytes.length; index += 1) {
      const unit = index < 0 ? 0 : bytes[index]!
      a = Math.imul(a ^ unit, 0x01000193)
      b = Math.imul(b ^ unit, 0x5bd1e995)
      c = Math.imul(c ^ unit, 0x85ebca6b)
      d = Math.imul(d ^ unit, 0xc2b2ae35)
    }
    this.#keep(a, b, c, d)
  }

  traceparent(): Buffer {
    const traceparent = Buffer.allocUnsafe(form.length)
    for (let index = 0; index < form.length; index += 1) traceparent[index] = form[index]!
    writeHex(traceparent, fmix32(this.#a), traceIdAt)
    writeHex(traceparent, fmix32(this.#b), traceIdAt + 8)
    writeHex(traceparent, fmix32(this.#c), traceIdAt + 16)
    // Never zero, so neither id is.
    writeHex(traceparent, fmix32(this.#d) | 1, traceIdAt + 24)
    writeHex(traceparent, fmix32(this.#a ^ this.#c), parentIdAt)
    writeHex(traceparent, fmix32(this.#b ^ this.#d) | 1, parentIdAt + 8)
    return traceparent
  }

  #keep(a: number, b: number, c: number, d: number): void {
    this.#a = a
    this.#b = b
    this.#c = c
    this.#d = d
  }
}

const seedHash = new SeedHash()

function writeHex(target: Buffer, word: number, start: number): void {
  for (let digit = 0; digit < 8; digit += 1)
    target[start + digit] = hexDigits[(word >>> (28 - digit * 4)) & 15]!
}
