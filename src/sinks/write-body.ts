import type { Writable } from 'node:stream'
import type { DotStuffing } from './dot-stuffing.ts'

/** Small enough that stuffing one piece does not hold up the event loop. */
const pieceBytes = 64 * 1024

/**
 * Writes the bytes as they stand on the wire. True, or resolves to it, once every byte is with the kernel, so that the dot, written
 * later, cannot queue behind a body; at once where the kernel takes them as they are written. False when `stopped` says so; never rejects.
 */
export function writeBody(
  bytes: Buffer,
  stuffing: DotStuffing,
  socket: Writable,
  stopped: () => boolean,
): boolean | Promise<boolean> {
  if (bytes.length > pieceBytes) return writePieces(bytes, stuffing, socket, stopped)
  if (stopped()) return false
  socket.write(stuffing.piece(bytes))
  return isWithKernel(socket) || untilWithKernel(socket, stopped)
}

async function writePieces(
  bytes: Buffer,
  stuffing: DotStuffing,
  socket: Writable,
  stopped: () => boolean,
): Promise<boolean> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    if (stopped()) return false
    await written(socket, stuffing.piece(bytes.subarray(start, start + pieceBytes)))
  }
  return isWithKernel(socket) ? !stopped() : untilWithKernel(socket, stopped)
}

/** A socket that has failed or was closed has nothing to write any more, and has not written it. */
function isWithKernel(socket: Writable): boolean {
  return socket.writable && socket.writableLength === 0
}

async function untilWithKernel(socket: Writable, stopped: () => boolean): Promise<boolean> {
  do {
    if (stopped()) return false
    // An empty write calls back behind everything that was written before it.
    await written(socket, empty)
  } while (socket.writableLength > 0)
  return !stopped()
}

const empty = Buffer.alloc(0)

function written(socket: Writable, piece: Buffer): Promise<void> {
  return new Promise(resolve => {
    socket.write(piece, () => resolve())
  })
}
