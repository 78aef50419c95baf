import { createHash, hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

/** Hashed in one go, some 2 ms. */
const pieceBytes = 1024 * 1024

/** SHA-256 as hex. Large bytes are hashed piece by piece, and the event loop turns between them. */
export function sha256Hex(bytes: Uint8Array): string | Promise<string> {
  return bytes.length <= pieceBytes ? hash('sha256', bytes, 'hex') : hashPieces(bytes)
}

async function hashPieces(bytes: Uint8Array): Promise<string> {
  const digest = createHash('sha256')
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    digest.update(bytes.subarray(start, start + pieceBytes))
    await setImmediate()
  }
  return digest.digest('hex')
}
