import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ThreadStart } from './processor-threads.ts'
import type { FromThread, ThreadPort } from './thread-messages.ts'

/** A real thread that runs a processor. */
export function startProcessorThread(start: ThreadStart): ThreadPort {
  const own = `processor-thread${extname(import.meta.url)}`
  const worker = new Worker(new URL(own, import.meta.url), {
    name: `mailonce-${start.place.index}`,
    workerData: start,
    // Three semi-spaces of 16 MB, less than a process of one thread has: each thread has a heap of its own.
    resourceLimits: { maxYoungGenerationSizeMb: 48 },
  })
  let cause: unknown
  worker.on('error', error => {
    cause = error
  })
  return {
    post: message => worker.postMessage(message, []),
    onMessage: listener => void worker.on('message', (message: FromThread) => listener(message)),
    gone: new Promise(resolve => {
      worker.once('exit', () => resolve(cause))
    }),
    terminate: async () => {
      await worker.terminate()
    },
  }
}
