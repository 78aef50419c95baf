import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

/** Handled in one go: well below a millisecond. */
const pieceBytes = 128 * 1024

/** One header field as it stands, with its lines, in the bytes' own latin1. */
export interface HeaderField {
  readonly name: string
  readonly line: string
}

/** Splits the header block, which ends before the empty line. */
export function headerFields(block: string): readonly HeaderField[] {
  return block.split(/\r\n(?![ \t])/).map(line => {
    const colon = line.indexOf(':')
    return { name: line.slice(0, colon).trim().toLowerCase(), line }
  })
}

/** RFC 6376 section 3.4.2: unfolded, one space for every run of white space, none around the colon and at the end. Without a line end. */
export function relaxedHeader({ name, line }: HeaderField): string {
  const value = line.slice(line.indexOf(':') + 1).replaceAll('\r\n', '')
  return `${name}:${value.replaceAll(/[ \t]+/g, ' ').replaceAll(/^ | $/g, '')}`
}

/**
 * SHA-256 in base64 over the body in its relaxed form (RFC 6376 section 3.4.4): no white space at the end of a line, one space for every run of
 * it, no empty lines at the end. The body ends its lines with CRLF; the event loop turns between its pieces.
 */
export async function relaxedBodyHash(body: Buffer): Promise<string> {
  const digest = createHash('sha256')
  let emptyLines = 0
  for (let start = 0; start < body.length;) {
    const end = endOfPiece(body, start)
    const piece = relaxedPiece(body.subarray(start, end))
    const keptLength = lengthWithoutEmptyLines(piece)
    if (keptLength > 0) {
      // Empty lines count only when something follows them.
      digest
        .update('\r\n'.repeat(emptyLines), 'latin1')
        .update(piece.slice(0, keptLength), 'latin1')
      emptyLines = 0
    }
    emptyLines += (piece.length - keptLength) / 2
    start = end
    if (end < body.length) await setImmediate()
  }
  return digest.digest('base64')
}

/** A loop: a regular expression for a run at the end would look again from every line of every run. */
function lengthWithoutEmptyLines(piece: string): number {
  let length = piece.length
  while (piece.endsWith('\r\n\r\n', length)) length -= 2
  return length === 2 ? 0 : length
}

/** Just behind a line end, so that no white space and no CRLF is torn apart; a line longer than a piece goes as a whole. */
function endOfPiece(body: Buffer, start: number): number {
  if (start + pieceBytes >= body.length) return body.length
  const last = body.lastIndexOf('\r\n', start + pieceBytes - 2)
  if (last >= start) return last + 2
  const next = body.indexOf('\r\n', start + pieceBytes - 2)
  return next < 0 ? body.length : next + 2
}

function relaxedPiece(piece: Buffer): string {
  const text = piece.toString('latin1')
  // Base64 has no white space to look for.
  const spaced = piece.includes(0x20) || piece.includes(0x09)
  const relaxed = spaced
    ? text
        .replaceAll(/[ \t]+/g, ' ')
        .replaceAll(' \r\n', '\r\n')
        .replace(/ $/, '')
    : text
  return relaxed === '' || relaxed.endsWith('\r\n') ? relaxed : `${relaxed}\r\n`
}
