/* A thread of the dedup stage: until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads'

import { dedupStreams } from './dedup-streams.ts'
import { countsApart, type DedupThread } from './dedup-threads.ts'

const { settings, index, counts } = workerData as DedupThread
const place = index * countsApart
const count = (): void => {
  counts[place]! += 1
}
await using resources = new AsyncDisposableStack()
const streams = await dedupStreams(settings, resources, count, index)
streams.onFirstReady(() => parentPort!.postMessage('ready', []))
parentPort!.once('message', (withinMs: number) => void streams.stop(withinMs))
await streams.run()
