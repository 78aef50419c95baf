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
  const traceparent = headers.find(each => each.key === headerNames.traceparent)
  if (
    traceparent !== undefined &&
    traceparentPattern.test(traceparent.value?.toString('latin1') ?? '')
  ) {
    return headers.filter(each => each === traceparent || each.key === headerNames.tracestate)
  }
  return [{ key: headerNames.traceparent, value: traceparentOf(seed()) }]
}

/** What makes a new trace of a request: the same words on every replay. */
export function traceSeed(identity: string, place: FirstPlace): string {
  return `${identity}\0${place.partition}\0${place.offset}\0${place.timestampMs}`
}

const form = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`)
const traceIdAt = 3
const parentIdAt = 36
const hexDigits = Buffer.from('0123456789abcdef')

/**
 * Ids need to be different and spread, not hard to guess, so four FNV-1a hashes of their own multipliers, mixed as murmur3 ends,
 * do for a digest: a tenth of the time of SHA-256, which every request without a trace would pay.
 */
function traceparentOf(seed: string): Buffer {
  let [a, b, c, d] = [0x811c9dc5, 0x9747b28c, 0x2545f491, 0x6a09e667]
  for (let index = 0; index < seed.length; index += 1) {
    const unit = seed.charCodeAt(index)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul(b ^ unit, 0x5bd1e995)
    c = Math.imul(c ^ unit, 0x85ebca6b)
    d = Math.imul(d ^ unit, 0xc2b2ae35)
  }
  const traceparent = Buffer.allocUnsafe(form.length)
  traceparent.set(form)
  writeHex(traceparent, mixed(a), traceIdAt)
  writeHex(traceparent, mixed(b), traceIdAt + 8)
  writeHex(traceparent, mixed(c), traceIdAt + 16)
  // Never zero, so neither id is.
  writeHex(traceparent, mixed(d) | 1, traceIdAt + 24)
  writeHex(traceparent, mixed(a ^ c), parentIdAt)
  writeHex(traceparent, mixed(b ^ d) | 1, parentIdAt + 8)
  return traceparent
}

/** The end of murmur3: every bit of the hash depends on every bit before. */
function mixed(hash: number): number {
  let bits = hash
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

function writeHex(target: Buffer, word: number, start: number): void {
  for (let digit = 0; digit < 8; digit += 1)
    target[start + digit] = hexDigits[(word >>> (28 - digit * 4)) & 15]!
}
