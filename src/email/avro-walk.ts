import { isUtf8 } from 'node:buffer'

const none: Buffer = Buffer.alloc(0)

/**
 * Over Avro binary in the one form that our encoder writes: no blocks with sizes, no number longer than it need be, nothing
 * beyond the bytes. Whatever else it meets, it fails, and says nothing of why: who walks then asks the codec.
 */
export class AvroWalk {
  #bytes = none
  at = 0
  failed = false
  /** Every text so far is UTF-8: encoding what is decoded from it gives the same bytes. */
  isExact = true
  /** Of the text walked over last. */
  textStart = 0

  begin(bytes: Buffer, start: number): void {
    this.#bytes = bytes
    this.at = start
    this.failed = false
    this.isExact = true
  }

  /** Lets go of the bytes; true when all of them were walked over. */
  end(): boolean {
    const isWhole = !this.failed && this.at === this.#bytes.length
    this.#bytes = none
    return isWhole
  }

  /** A length, a count, a branch, an index: 0 and failure for what is negative or more than 2^27. */
  number(): number {
    const bytes = this.#bytes
    let number = 0
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.at >= bytes.length) break
      const byte = bytes[this.at]!
      this.at += 1
      number |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if ((byte === 0 && shift > 0) || number % 2 === 1) break
      return number >>> 1
    }
    this.failed = true
    return 0
  }

  /** Any int, and a long of at most 48 bits, which is a time of the next 4,000 years. */
  long(): number {
    const bytes = this.#bytes
    let number = 0
    let factor = 1
    for (let count = 0; count < 7; count += 1) {
      if (this.at >= bytes.length) break
      const byte = bytes[this.at]!
      this.at += 1
      number += (byte & 0x7f) * factor
      if (byte < 0x80) return number % 2 === 0 ? number / 2 : -(number + 1) / 2
      factor *= 128
    }
    this.failed = true
    return 0
  }

  /** Length and bytes; returns where they end. */
  bytes(): number {
    const length = this.number()
    this.textStart = this.at
    this.at += length
    if (this.at > this.#bytes.length) {
      this.failed = true
      this.at = this.#bytes.length
    }
    return this.at
  }

  /** Of the text walked over last. */
  get textBytes(): number {
    return this.at - this.textStart
  }

  /** A text of any length. */
  text(): void {
    const end = this.bytes()
    if (this.textBytes > lookedAtMax) this.#verify(end)
    else if (!isAllAscii(this.#bytes, this.textStart, end)) this.#verify(end)
  }

  /** A text that is nearly always short and ASCII; true when it has no control characters, false when it has or may have. */
  line(): boolean {
    const end = this.bytes()
    const bytes = this.#bytes
    let isAscii = true
    let isClean = true
    for (let at = this.textStart; at < end; at += 1) {
      const byte = bytes[at]!
      if (byte < 0x20 || byte === 0x7f) isClean = false
      else if (byte >= 0x80) {
        isAscii = false
        if (mayBeginControl(bytes, at)) isClean = false
      }
    }
    if (!isAscii) this.#verify(end)
    return isClean
  }

  /** The branch of a union with null in front: true for the other one. */
  isPresent(): boolean {
    const branch = this.number()
    if (branch > 1) this.failed = true
    return branch === 1
  }

  flag(): void {
    if (this.at >= this.#bytes.length || this.#bytes[this.at]! > 1) this.failed = true
    this.at += 1
  }

  /** How many items the one block of a list has, each of at least a byte; `endList` follows the items. */
  beginList(): number {
    const count = this.number()
    if (count <= this.#bytes.length - this.at) return count
    this.failed = true
    return 0
  }

  /** The end, where there was a block. */
  endList(count: number): void {
    if (count > 0 && this.number() !== 0) this.failed = true
  }

  #verify(end: number): void {
    this.isExact &&= isUtf8(this.#bytes.subarray(this.textStart, end))
  }
}

/** Longer texts are the engine's to look at: a call into it costs as much as so many bytes. */
const lookedAtMax = 64

function isAllAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at]! >= 0x80) return false
  return true
}

/** U+0080 to U+009F, U+2028 and U+2029 in UTF-8. */
function mayBeginControl(bytes: Buffer, at: number): boolean {
  const [byte, next] = [bytes[at], bytes[at + 1]]
  if (byte === 0xc2) return next === undefined || next < 0xa0
  return byte === 0xe2 && next === 0x80 && ((bytes[at + 2] ?? 0xa8) & 0xfe) === 0xa8
}
