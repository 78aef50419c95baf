const capacityMin = 4096
/** A tenth of a whole number below is never rounded up to the next one. */
const dividedBelow = 1e15
/** A larger one is not kept, bytes. */
const keptMax = 1024 * 1024

/** Plain data, as JSON knows it. What is undefined is left out of an object. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

/**
 * Writes the bytes that `JSON.stringify` and UTF-8 make of plain data, into memory of its own that is used again: what is written
 * often leaves nothing behind. `toJSON` of an object is not asked.
 */
export class JsonWriter {
  #bytes = Buffer.allocUnsafeSlow(capacityMin)
  #length = 0

  /** Bytes written since the last `begin`. */
  get length(): number {
    return this.#length
  }

  /** The memory itself: the first `length` bytes, until more is written. */
  get bytes(): Buffer {
    return this.#bytes
  }

  begin(): void {
    if (this.#bytes.length > keptMax) this.#bytes = Buffer.allocUnsafeSlow(capacityMin)
    this.#length = 0
  }

  copyTo(target: Buffer, start: number): void {
    this.#bytes.copy(target, start, 0, this.#length)
  }

  /** JSON text as it is, ASCII. */
  raw(json: string): void {
    const bytes = this.#withRoom(json.length)
    const start = this.#length
    for (let index = 0; index < json.length; index += 1)
      bytes[start + index] = json.charCodeAt(index)
    this.#length = start + json.length
  }

  value(value: Json): void {
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (value === undefined || value === null) this.raw('null')
    else if (typeof value === 'boolean') this.raw(value ? 'true' : 'false')
    else if (Array.isArray(value)) this.#array(value as readonly Json[])
    else this.#object(value as JsonObject)
  }

  text(text: string): void {
    const bytes = this.#withRoom(text.length * 6 + 2)
    let at = this.#length
    bytes[at++] = quote
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) {
        this.#otherText(text)
        return
      }
      const escape = escapes[unit]!
      if (escape === 0) {
        bytes[at++] = unit
        continue
      }
      bytes[at++] = backslash
      bytes[at++] = escape
      if (escape !== escapedByNumber) continue
      bytes[at++] = zero
      bytes[at++] = zero
      bytes[at++] = hexDigits[unit >> 4]!
      bytes[at++] = hexDigits[unit & 15]!
    }
    bytes[at++] = quote
    this.#length = at
  }

  /** Bytes as a text of base64. */
  base64(from: Uint8Array): void {
    const bytes = this.#withRoom(Math.ceil(from.length / 3) * 4 + 2)
    let at = this.#length
    bytes[at++] = quote
    for (let index = 0; index < from.length; index += 3) {
      const left = from.length - index
      const second = left > 1 ? from[index + 1]! : 0
      const third = left > 2 ? from[index + 2]! : 0
      const bits = (from[index]! << 16) | (second << 8) | third
      bytes[at++] = base64Digits[bits >> 18]!
      bytes[at++] = base64Digits[(bits >> 12) & 63]!
      bytes[at++] = left > 1 ? base64Digits[(bits >> 6) & 63]! : padding
      bytes[at++] = left > 2 ? base64Digits[bits & 63]! : padding
    }
    bytes[at++] = quote
    this.#length = at
  }

  /** The members of an object that is written piece by piece: each with a comma before it but for the first one of all. */
  member(name: string, isFirst: boolean): void {
    if (!isFirst) this.raw(',')
    this.text(name)
    this.raw(':')
  }

  #object(value: JsonObject): void {
    this.raw('{')
    let isFirst = true
    // No list of names is made for it. Plain data inherits nothing.
    for (const name in value) {
      const member = value[name]
      if (member === undefined) continue
      this.member(name, isFirst)
      this.value(member)
      isFirst = false
    }
    this.raw('}')
  }

  #array(values: readonly Json[]): void {
    this.raw('[')
    for (let index = 0; index < values.length; index += 1) {
      if (index > 0) this.raw(',')
      this.value(values[index])
    }
    this.raw(']')
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value >= dividedBelow) {
      this.raw(JSON.stringify(value))
      return
    }
    let digits = 1
    for (let bound = 10; bound <= value; bound *= 10) digits += 1
    const bytes = this.#withRoom(digits)
    let rest = value
    for (let at = this.#length + digits - 1; at >= this.#length; at -= 1) {
      const next = Math.floor(rest / 10)
      bytes[at] = zero + rest - next * 10
      rest = next
    }
    this.#length += digits
  }

  /** Not ASCII alone. */
  #otherText(text: string): void {
    const json = JSON.stringify(text)
    const bytes = this.#withRoom(json.length * 3)
    this.#length += bytes.write(json, this.#length)
  }

  #withRoom(more: number): Buffer {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return this.#bytes
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length))
    this.copyTo(larger, 0)
    this.#bytes = larger
    return larger
  }
}

const quote = 0x22
const backslash = 0x5c
const zero = 0x30
const padding = 0x3d
const hexDigits = Buffer.from('0123456789abcdef')
const escapedByNumber = 0x75
/** What stands behind the backslash for each character of ASCII; 0 for those that stand for themselves. */
const escapes = Uint8Array.from({ length: 0x80 }, (_, unit) => {
  const json = JSON.stringify(String.fromCharCode(unit))
  return json.length === 3 ? 0 : json.charCodeAt(2)
})
const base64Digits = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
