import { parentPort } from 'node:worker_threads'
import { describeError } from '../errors.ts'
import type { EncodingAnswer, EncodingTask } from './encoding-thread.ts'
import type { MailRequest } from './mail-request.ts'
import { mimeTreeEncoder } from './mime-tree-encoder.ts'

/** Run as a thread by `EncodingThread`: encodes what it is sent, and sends back the bytes without a copy. */
parentPort?.on('message', (task: EncodingTask) => void encode(task))

async function encode({ id, request, identity }: EncodingTask): Promise<void> {
  try {
    const bytes = await mimeTreeEncoder(withBuffers(request), identity)
    // A small Buffer shares its memory with others.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes)
    answer({ id, bytes: own }, [own.buffer as ArrayBuffer])
  } catch (error) {
    answer({ id, failure: describeError(error) })
  }
}

function answer(message: EncodingAnswer, transferred: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transferred)
}

/** A Buffer arrives as a plain array of bytes. */
function withBuffers(request: MailRequest): MailRequest {
  const attachments = request.attachments.map(attachment => ({
    ...attachment,
    content: Buffer.from(attachment.content),
  }))
  return { ...request, attachments }
}
