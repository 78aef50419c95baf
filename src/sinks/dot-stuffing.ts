const carriageReturn = 0x0d
const lineFeed = 0x0a
const dot = 0x2e

/**
 * Makes bytes a body as it stands on the wire, piece by piece (RFC 5321 section 4.5.2): a dot at the start of a line is doubled, and a line
 * ends with CR LF alone. What some relay takes for the end of a line, a bare CR or LF, is one: so no text can hold an end of the mail.
 */
export class DotStuffing {
  /** A body begins at the start of a line. */
  #last = lineFeed
  #isEmpty = true

  /** The bytes themselves where nothing needs to be changed. */
  piece(bytes: Buffer): Buffer {
    const pieces: Buffer[] = []
    let last = this.#last
    let from = 0
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index]!
      const missing = byte > dot && last !== carriageReturn ? '' : missingBetween(last, byte)
      if (missing !== '') {
        pieces.push(bytes.subarray(from, index), Buffer.from(missing, 'latin1'))
        from = index
      }
      last = byte
    }
    if (bytes.length > 0) this.#isEmpty = false
    this.#last = last
    if (pieces.length === 0) return bytes
    pieces.push(bytes.subarray(from))
    return Buffer.concat(pieces)
  }

  /** What ends the mail: the dot, on a line of its own. */
  get end(): string {
    if (this.#isEmpty) return '\r\n.\r\n'
    if (this.#last === lineFeed) return '.\r\n'
    return this.#last === carriageReturn ? '\n.\r\n' : '\r\n.\r\n'
  }
}

function missingBetween(last: number, byte: number): string {
  if (last === carriageReturn && byte !== lineFeed) return byte === dot ? '\n.' : '\n'
  if (byte === lineFeed && last !== carriageReturn) return '\r'
  return byte === dot && last === lineFeed ? '.' : ''
}
