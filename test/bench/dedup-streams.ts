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
import { joinStateDirectory, openStateDirectory } from '../../src/state/state-directory.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { Topology } from '../../src/topology/topology.ts'
import { connectTo } from './connect-to.ts'
import type { DedupSettings } from './dedup-process.ts'
import { counted } from './progress.ts'

const windowMs = 7 * 24 * 3_600_000

/** The state directory of such a process. */
export const directoryOf = ({ directory, applicationId }: DedupSettings) => ({
  path: `${directory}/state`,
  applicationId,
  log: silentLogger,
  // What a quarter of all stores, the six of this stage, has in `run` with the default of --store-memory.
  storeMemoryBytes: 64 * 1024 * 1024,
})

/** One worker of the dedup stage; of several threads the one with this index. Calls `count` for each record. */
export async function dedupStreams(
  settings: DedupSettings,
  resources: AsyncDisposableStack,
  count: () => void,
  index?: number,
): Promise<Streams> {
  const { kafka, registryUrl, directory, applicationId, guarantee } = settings
  const cacheFile = `${directory}/schemas-${index ?? 0}.json`
  const serdes = await openSerdes({ registryUrl, cacheFile, clock: systemClock })
  const cluster = resources.use(connectTo(kafka))
  const options = directoryOf(settings)
  const stateDirectory = resources.use(
    index === undefined
      ? await openStateDirectory(options)
      : await joinStateDirectory({ ...options, clock: systemClock }),
  )
  const journal = resources.use(
    await FileJournal.open(stateDirectory.path(`journal-${index ?? 0}`)),
  )
  const ids = { applicationId, instanceId: 'bench', guarantee }
  return new Streams(
    topologyOf(emailTopics(serdes, windowMs), settings.output, count),
    index === undefined ? ids : { ...ids, workerIndex: index, instanceSinceMs: 0 },
    {
      cluster,
      stateDirectory,
      journal,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
    },
  )
}

function topologyOf(
  topics: ReturnType<typeof emailTopics>,
  output: string,
  count: () => void,
): Topology {
  const seen = dedupStore(windowMs)
  // Nobody asks for a callback in this run, so nothing is written here.
  const repeats = topics.duplicatesRepartition
  const duplicates = topic(topicNames.callback, { key: repeats.key, value: repeats.value })
  return new TopologyBuilder()
    .source('requests', topics.requested, { subTopology: 'dedup' })
    .source('rerouted', topics.requestsRepartition)
    .process('dedup', {
      from: ['requests', 'rerouted'],
      stores: [seen],
      prefetch: dedupPrefetch(seen),
      processor: () => counted(dedupProcessor({ store: seen, windowMs }), count),
    })
    .sink('misplaced', { from: 'dedup', topic: topics.requestsRepartition })
    .sink('refused', { from: 'dedup', topic: topics.failed })
    .sink('duplicates', { from: 'dedup', topic: duplicates })
    .sink('accepted', {
      from: 'dedup',
      topic: topic(output, { key: topics.dedup.key, value: topics.dedup.value }),
    })
    .deadLetters(topicNames.deadLetter)
    .build()
}
