import type { Writable } from 'node:stream'
import type { DotStuffing } from './dot-stuffing.ts'

/** Small enough that stuffing one piece does not hold up the event loop. */
const pieceBytes = 64 * 1024

/**
 * Writes the bytes as they stand on the wire and resolves to true once every byte is with the kernel, so that the dot, written
 * later, cannot queue behind a body. Resolves to false when `stopped` says so; never rejects.
 */
export async function writeBody(
  bytes: Buffer,
  stuffing: DotStuffing,
  socket: Writable,
  stopped: () => boolean,
): Promise<boolean> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    if (stopped()) return false
    await written(socket, stuffing.piece(bytes.subarray(start, start + pieceBytes)))
  }
  while (socket.writableLength > 0) {
    if (stopped()) return false
    // An empty write calls back behind everything that was written before it.
    await written(socket, Buffer.alloc(0))
  }
  return !stopped()
}

function written(socket: Writable, piece: Buffer): Promise<void> {
  return new Promise(resolve => {
    socket.write(piece, () => resolve())
  })
}
