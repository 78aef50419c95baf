import { StreamsError } from '../errors.ts'

/** A line with its number, from 1. */
export interface NumberedLine {
  readonly number: number
  readonly text: string
}

/**
 * Splits bytes into lines; empty ones are left out but counted. What arrived together is handed out together, so that a stream
 * is published as it comes, and many lines in one transaction. Throws
 * REQUEST_INVALID at a line longer than `lineBytesMax`: it would not fit into a record, and perhaps never ends.
 */
export async function* lineGroups(
  chunks: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<readonly NumberedLine[]> {
  let rest = Buffer.alloc(0)
  let number = 0
  const toLine = (bytes: Buffer): NumberedLine => {
    number += 1
    const text = bytes.toString('utf8')
    return { number, text: (number === 1 ? text.replace(/^\uFEFF/, '') : text).trim() }
  }
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const lines: NumberedLine[] = []
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      lines.push(toLine(bytes.subarray(0, end)))
      bytes = bytes.subarray(end + 1)
    }
    if (bytes.length > lineBytesMax)
      throw new StreamsError(
        'REQUEST_INVALID',
        `line ${number + 1} is longer than ${lineBytesMax} bytes`,
      )
    rest = Buffer.from(bytes)
    const full = lines.filter(line => line.text !== '')
    if (full.length > 0) yield full
  }
  const last = toLine(rest)
  if (last.text !== '') yield [last]
}
