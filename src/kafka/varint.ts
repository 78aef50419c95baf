/** Zigzag varints of the record format (KIP-98), for numbers within ±2^53. */

/** Bytes that `writeVarint` will take. */
export function varintSize(value: number): number {
  let rest = zigzag(value)
  let size = 1
  while (rest >= 128) {
    rest = Math.floor(rest / 128)
    size += 1
  }
  return size
}

/** Writes at the position and returns the one after it. */
export function writeVarint(target: Buffer, value: number, position: number): number {
  let rest = zigzag(value)
  let at = position
  // Bit operations end at 32 bits; only differences of times are ever larger.
  while (rest >= 0x8000_0000) {
    target[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 128) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

/** Walks over bytes. One object for a whole batch: a record costs no allocation of its own for reading. */
export class ByteReader {
  readonly bytes: Buffer
  position: number

  constructor(bytes: Buffer, position = 0) {
    this.bytes = bytes
    this.position = position
  }

  varint(): number {
    const { bytes } = this
    let result = 0
    let shift = 0
    for (;;) {
      const byte = bytes[this.position++]
      if (byte === undefined) throw new RangeError('a varint ends beyond its bytes')
      if (shift < 28) result |= (byte & 0x7f) << shift
      else result += (byte & 0x7f) * 2 ** shift
      if (byte < 128) break
      shift += 7
    }
    if (shift < 28) return (result >>> 1) ^ -(result & 1)
    return result % 2 === 0 ? result / 2 : -(result + 1) / 2
  }

  /** A varint length, then as many bytes; -1 stands for null. */
  nullableBytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    return this.take(length)
  }

  /** Steps over a varint length and these very bytes, where they are what stands here. */
  skipIf(expected: Buffer): boolean {
    const start = this.position
    let isSame = this.varint() === expected.length
    for (let index = 0; isSame && index < expected.length; index += 1)
      isSame = this.bytes[this.position + index] === expected[index]
    this.position = isSame ? this.position + expected.length : start
    return isSame
  }

  take(length: number): Buffer {
    const start = this.position
    if (start + length > this.bytes.length) throw new RangeError('a field ends beyond its bytes')
    this.position = start + length
    return this.bytes.subarray(start, start + length)
  }

  unsignedVarint(): number {
    let result = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.position++]
      if (byte === undefined) throw new RangeError('a varint ends beyond its bytes')
      result += (byte & 0x7f) * factor
      if (byte < 128) return result
    }
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.position)
    this.position += 2
    return value
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.position)
    this.position += 4
    return value
  }

  /** As a number: offsets, times and producer ids stay far below 2^53. */
  int64(): number {
    const value = readInt64(this.bytes, this.position)
    this.position += 8
    return value
  }

  skip(length: number): void {
    this.position += length
  }

  /** Skips a compact string (length + 1, 0 for null) and returns it. */
  compactString(): string | null {
    const length = this.unsignedVarint()
    return length === 0 ? null : this.take(length - 1).toString('utf8')
  }

  skipTaggedFields(): void {
    for (let count = this.unsignedVarint(); count > 0; count -= 1) {
      this.unsignedVarint()
      this.skip(this.unsignedVarint())
    }
  }
}

/** A signed 64-bit integer as a number, without a bigint in between. */
export function readInt64(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position) * 0x1_0000_0000 + bytes.readUInt32BE(position + 4)
}
