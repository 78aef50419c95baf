/* A process that runs the dedup stage alone: once through what lies in `email.requested`, or until its input ends. */
import { once } from 'node:events'

import { topicNames } from '../../src/email/topic-names.ts'
import { connectTo, partitions } from './connect-to.ts'
import type { DedupSettings } from './dedup-process.ts'
import { dedupStreams } from './dedup-streams.ts'
import { DedupThreads } from './dedup-threads.ts'
import { Progress, untilCommitted } from './progress.ts'

const settings = JSON.parse(process.argv[2]!) as DedupSettings
const { kafka, applicationId, records, threads } = settings
await using resources = new AsyncDisposableStack()
const progress = new Progress(records)
const streams =
  threads === 1
    ? await dedupStreams(settings, resources, progress.count)
    : await DedupThreads.open(settings, resources, progress)
const running = streams.run()
const failed = running.then(() => new Promise<never>(() => undefined))
if (records === 0) {
  while (!streams.isReady)
    await Promise.race([failed, new Promise(resolve => setTimeout(resolve, 20))])
  print({ ready: 1 })
  process.stdin.resume()
  await once(process.stdin, 'end')
} else {
  await Promise.race([failed, progress.all])
  const at = Array.from({ length: partitions }, (_, partition) => ({
    topic: topicNames.requested,
    partition,
  }))
  const { admin } = resources.use(connectTo(kafka))
  await Promise.race([failed, untilCommitted(admin, applicationId, at)])
  print(progress.figures())
}
await streams.stop(10_000)
await running

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
