import { createHash, hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

/** Hashed in one go, some 2 ms. */
const pieceBytes = 1024 * 1024

/** SHA-256 as hex. Large bytes are hashed piece by piece, and the event loop turns between them. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  if (bytes.length <= pieceBytes) return hash('sha256', bytes, 'hex')
  const digest = createHash('sha256')
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    digest.update(bytes.subarray(start, start + pieceBytes))
    await setImmediate()
  }
  return digest.digest('hex')
}
