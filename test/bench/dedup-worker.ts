/* A process that runs the dedup stage alone: once through what lies in `email.requested`, or until its input ends. */
import { once } from 'node:events'

import { systemClock } from '../../src/clock.ts'
import { openSerdes } from '../../src/cli/open-serdes.ts'
import { FileJournal } from '../../src/effects/journal.ts'
import { dedupPrefetch, dedupProcessor } from '../../src/email/dedup-processor.ts'
import { dedupStore } from '../../src/email/dedup-store.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { emailTopics } from '../../src/email/topics.ts'
import { silentLogger } from '../../src/log.ts'
import { systemRandom } from '../../src/random.ts'
import { Streams } from '../../src/runtime/streams.ts'
import { openStateDirectory } from '../../src/state/state-directory.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import { connectTo, partitions } from './bench-world.ts'
import type { DedupSettings } from './dedup-process.ts'
import { Progress, untilCommitted } from './progress.ts'

const settings = JSON.parse(process.argv[2]!) as DedupSettings
const { kafka, registryUrl, directory, applicationId, records, guarantee } = settings
const windowMs = 7 * 24 * 3_600_000
const serdes = await openSerdes({
  registryUrl,
  cacheFile: `${directory}/schemas.json`,
  clock: systemClock,
})
const topics = emailTopics(serdes, windowMs)
const seen = dedupStore(windowMs)
const progress = new Progress(records)
// Nobody asks for a callback in this run, so nothing is written here.
const repeats = topics.duplicatesRepartition
const duplicates = topic(topicNames.callback, { key: repeats.key, value: repeats.value })
const topology = new TopologyBuilder()
  .source('requests', topics.requested, { subTopology: 'dedup' })
  .source('rerouted', topics.requestsRepartition)
  .process('dedup', {
    from: ['requests', 'rerouted'],
    stores: [seen],
    prefetch: dedupPrefetch(seen),
    processor: () =>
      progress.counted(dedupProcessor({ store: seen, windowMs, requests: topics.requested.value })),
  })
  .sink('misplaced', { from: 'dedup', topic: topics.requestsRepartition })
  .sink('refused', { from: 'dedup', topic: topics.failed })
  .sink('duplicates', { from: 'dedup', topic: duplicates })
  .sink('accepted', {
    from: 'dedup',
    topic: topic(settings.output, { key: topics.dedup.key, value: topics.dedup.value }),
  })
  .deadLetters(topicNames.deadLetter)
  .build()

await using cluster = connectTo(kafka)
await using stateDirectory = await openStateDirectory({
  path: `${directory}/state`,
  applicationId,
  log: silentLogger,
})
await using journal = await FileJournal.open(stateDirectory.path('journal'))
const streams = new Streams(
  topology,
  { applicationId, instanceId: 'bench', guarantee },
  { cluster, stateDirectory, journal, clock: systemClock, random: systemRandom, log: silentLogger },
)
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
  await Promise.race([failed, untilCommitted(cluster.admin, applicationId, at)])
  print(progress.figures())
}
await streams.stop(10_000)
await running

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
