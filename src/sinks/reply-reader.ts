/** No relay says as much; one that never ends its reply must not fill the memory. Characters. */
const lengthMax = 1024 * 1024

/**
 * Cuts what a relay says into replies (RFC 5321 section 4.2.1): each is one line, or several of which all but the last have a hyphen behind
 * the code. Lines of one reply are joined by `\n`; empty lines are none.
 */
export class ReplyReader {
  readonly #onReply: (reply: string) => void
  /** The beginning of a line that has not ended, one character a byte. */
  #rest = ''
  /** The lines of a reply that goes on. */
  #lines = ''

  constructor(onReply: (reply: string) => void) {
    this.#onReply = onReply
  }

  /** What has begun and never ended, in text: of a reply of several lines those that are whole, else the line. */
  get rest(): string {
    return textOf((this.#lines || this.#rest).trim())
  }

  /** Calls `onReply` with each reply that is whole now. False when one is longer than any reply is. */
  read(chunk: Buffer): boolean {
    // Byte by byte: a character may be cut in two.
    const more = chunk.toString('latin1')
    const data = this.#rest + more
    // What came before is not searched again, nor put together for it: a line may come in very many pieces.
    if (!more.includes('\n')) {
      this.#rest = data
      return this.#isBounded
    }
    let start = 0
    for (let end; (end = data.indexOf('\n', start)) >= 0; start = end + 1) {
      const isReturned = end > start && data.charCodeAt(end - 1) === 0x0d
      this.#line(data.slice(start, isReturned ? end - 1 : end))
    }
    this.#rest = data.slice(start)
    return this.#isBounded
  }

  get #isBounded(): boolean {
    return this.#rest.length + this.#lines.length <= lengthMax
  }

  #line(line: string): void {
    const reply = this.#lines === '' ? line : `${this.#lines}\n${line}`
    if (goesOn(line)) {
      this.#lines = reply
      return
    }
    this.#lines = ''
    if (!isBlank(reply)) this.#onReply(textOf(reply))
  }
}

/** A hyphen behind the code. */
function goesOn(line: string): boolean {
  let end = 0
  for (let code; (code = line.charCodeAt(end)) >= 0x30 && code <= 0x39;) end += 1
  return end > 0 && line.charCodeAt(end) === 0x2d
}

/** Most begin with a digit. */
function isBlank(reply: string): boolean {
  const first = reply.charCodeAt(0)
  const isVisible = first > 0x20 && first < 0x7f
  return !isVisible && reply.trim() === ''
}

/** As UTF-8, or character by character where it is none. */
function textOf(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes
  const text = Buffer.from(bytes, 'latin1').toString('utf8')
  return text.includes('\uFFFD') ? bytes : text
}
