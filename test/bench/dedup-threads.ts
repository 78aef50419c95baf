import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

import { openStateDirectory } from '../../src/state/state-directory.ts'
import type { DedupSettings } from './dedup-process.ts'
import { directoryOf } from './dedup-streams.ts'
import type { Progress } from './progress.ts'

/** What a thread is given. */
export interface DedupThread {
  readonly settings: DedupSettings
  readonly index: number
  /** It counts its records in its own place of it. */
  readonly counts: Int32Array
}

/** Places lie so far apart that no two threads write the same line of a processor's cache. */
export const countsApart = 32
const lookMs = 2

/** The workers of the dedup stage, each on a thread of its own; this one counts what they have done, and does none of it. */
export class DedupThreads {
  readonly #threads: readonly Worker[]
  readonly #progress: Progress
  readonly #counts: Int32Array
  #ready = 0

  private constructor(threads: readonly Worker[], progress: Progress, counts: Int32Array) {
    this.#threads = threads
    this.#progress = progress
    this.#counts = counts
    for (const thread of threads) thread.once('message', () => (this.#ready += 1))
  }

  static async open(
    settings: DedupSettings,
    resources: AsyncDisposableStack,
    progress: Progress,
  ): Promise<DedupThreads> {
    resources.use(await openStateDirectory(directoryOf(settings)))
    const counts = new Int32Array(new SharedArrayBuffer(4 * countsApart * settings.threads))
    const threads = Array.from({ length: settings.threads }, (_, index) => {
      const workerData: DedupThread = { settings, index, counts }
      return new Worker(new URL('dedup-thread.ts', import.meta.url), {
        workerData,
        resourceLimits: { maxYoungGenerationSizeMb: 48 },
      })
    })
    return new DedupThreads(threads, progress, counts)
  }

  get isReady(): boolean {
    return this.#ready === this.#threads.length
  }

  async run(): Promise<void> {
    const look = setInterval(() => this.#progress.reach(this.#total()), lookMs)
    try {
      await Promise.all(this.#threads.map(each => once(each, 'exit')))
    } finally {
      clearInterval(look)
    }
  }

  stop(withinMs: number): Promise<void> {
    for (const thread of this.#threads) thread.postMessage(withinMs, [])
    return Promise.resolve()
  }

  #total(): number {
    let total = 0
    for (let index = 0; index < this.#threads.length; index += 1)
      total += this.#counts[index * countsApart]!
    return total
  }
}
