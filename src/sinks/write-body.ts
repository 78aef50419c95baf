import type { Writable } from 'node:stream'

/** Small enough that stuffing one piece does not hold up the event loop. */
const pieceBytes = 64 * 1024

/**
 * Writes the bytes through nodemailer's dot-stuffing stream and resolves to true once every byte is with the kernel, so
 * that the dot, written later, cannot queue behind a body. Resolves to false when `stopped` says so; never rejects.
 */
export async function writeBody(
  bytes: Buffer,
  data: Writable,
  socket: Writable,
  stopped: () => boolean,
): Promise<boolean> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    if (stopped()) return false
    await written(data, bytes.subarray(start, start + pieceBytes))
  }
  while (data.writableLength > 0 || unread(data) > 0 || socket.writableLength > 0) {
    if (stopped()) return false
    // An empty write calls back behind everything that was written before it.
    await written(socket, Buffer.alloc(0))
  }
  return !stopped()
}

function written(stream: Writable, piece: Buffer): Promise<void> {
  return new Promise(resolve => {
    stream.write(piece, () => resolve())
  })
}

/** Stuffed bytes that the socket has not taken yet: the stream is a transform. */
function unread(data: Writable): number {
  return 'readableLength' in data ? Number(data.readableLength) : 0
}
