import type { Writer } from '@platformatic/kafka'

/** Shorter ones are copied together: each piece of a write is work for the engine and for the system. */
const ownPieceBytesMin = 16 * 1024

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string
}

/**
 * A request as it travels, behind its length and its header: batches of records as they are, which a socket takes without a
 * copy, and what stands between them.
 */
export function piecesOf(
  header: RequestHeader,
  hasTags: boolean,
  payload: Writer,
): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  let small = [headerBytes(header, hasTags, payload.length)]
  for (const piece of payload.buffers) {
    if (piece.length < ownPieceBytesMin) {
      small.push(piece)
      continue
    }
    pieces.push(Buffer.concat(small), piece)
    small = []
  }
  if (small.length > 0) pieces.push(Buffer.concat(small))
  return pieces
}

/** Versions 1 and 2 of the request header: the second has tags, of which we set none. */
function headerBytes(header: RequestHeader, hasTags: boolean, payloadBytes: number): Buffer {
  const clientId = Buffer.from(header.clientId)
  const bytes = Buffer.alloc(14 + clientId.length + (hasTags ? 1 : 0))
  bytes.writeInt32BE(bytes.length - 4 + payloadBytes)
  bytes.writeInt16BE(header.apiKey, 4)
  bytes.writeInt16BE(header.apiVersion, 6)
  bytes.writeInt32BE(header.correlationId, 8)
  bytes.writeInt16BE(clientId.length, 12)
  clientId.copy(bytes, 14)
  return bytes
}
