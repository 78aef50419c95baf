/* A process that runs the dedup stage alone, once through what lies in `email.requested`, and prints what it took as one line of JSON. */
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
import { connectTo } from './bench-world.ts'

const [kafka = '', registryUrl = '', directory = '', expected = '0'] = process.argv.slice(2)
const windowMs = 7 * 24 * 3_600_000
const partitions = 6
const serdes = await openSerdes({
  registryUrl,
  cacheFile: `${directory}/schemas.json`,
  clock: systemClock,
})
const topics = emailTopics(serdes, windowMs)
const seen = dedupStore(windowMs)
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
    processor: () => dedupProcessor({ store: seen, windowMs }),
  })
  .sink('misplaced', { from: 'dedup', topic: topics.requestsRepartition })
  .sink('refused', { from: 'dedup', topic: topics.failed })
  .sink('duplicates', { from: 'dedup', topic: duplicates })
  .sink('accepted', { from: 'dedup', topic: topics.dedup })
  .deadLetters(topicNames.deadLetter)
  .build()

const applicationId = `bench-${process.pid}`
await using cluster = connectTo(kafka)
await using stateDirectory = await openStateDirectory({
  path: `${directory}/${applicationId}`,
  applicationId,
  log: silentLogger,
})
await using journal = await FileJournal.open(stateDirectory.path('journal'))
const streams = new Streams(
  topology,
  { applicationId, instanceId: 'bench' },
  { cluster, stateDirectory, journal, clock: systemClock, random: systemRandom, log: silentLogger },
)
const total = Number(expected)
const running = streams.run()
const processed = streams.metrics.recordsIn.labels({ topic: topicNames.requested })
const half = Math.floor(total / 2)
const started = await reach(1)
const middle = await reach(half)
await reach(total)
await committed()
const ended = reading()
const rate = (from: Reading, to: Reading, records: number) => records / ((to.ms - from.ms) / 1000)
const cpu = (from: Reading, to: Reading, records: number) =>
  (to.cpuMicros - from.cpuMicros) / records
process.stdout.write(
  `${JSON.stringify({
    records: total,
    recordsPerSecond: Math.round(rate(started, ended, total)),
    recordsPerSecondSecondHalf: Math.round(rate(middle, ended, total - half)),
    cpuMicrosPerRecord: round(cpu(started, ended, total)),
    cpuMicrosPerRecordSecondHalf: round(cpu(middle, ended, total - half)),
    maxRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  })}\n`,
)
await streams.stop(10_000)
await running

interface Reading {
  readonly ms: number
  readonly cpuMicros: number
}

function reading(): Reading {
  const { user, system } = process.cpuUsage()
  return { ms: performance.now(), cpuMicros: user + system }
}

async function reach(records: number): Promise<Reading> {
  while (processed.value < records) await new Promise(resolve => setTimeout(resolve, 2))
  return reading()
}

/** Until the offsets of everything are committed, with the transaction that wrote the output. */
async function committed(): Promise<void> {
  const at = Array.from({ length: partitions }, (_, partition) => ({
    topic: topicNames.requested,
    partition,
  }))
  const ends = await cluster.admin.endOffsets(at)
  for (;;) {
    const offsets = await cluster.admin.committedOffsets(applicationId, at)
    const missing = [...ends].some(([key, end]) => (offsets.get(key)?.offset ?? 0) < end - 1)
    if (!missing) return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
