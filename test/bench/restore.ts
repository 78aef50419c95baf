import { rm } from 'node:fs/promises'

import { topicNames } from '../../src/email/topic-names.ts'
import { type BenchWorld, createTopic, openBenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'
import { fillChangelog } from './fill-changelog.ts'
import { kafkaStreams } from './peers.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Figures, Scenario, ScenarioOptions } from './scenario.ts'

const compared = ['keysPerSecond', 'secondsToRunning']

/** The disk is lost: from an empty state directory until every task runs, with so many requests known. */
export const restore: Scenario = {
  name: 'restore',
  what: 'restore of a lost store',
  open: async options => {
    await using resources = new AsyncDisposableStack()
    const world = resources.use(await openBenchWorld())
    const { keys = 1_000_000, againstPeers } = options
    await createTopic(world, topicNames.requested)
    await fillChangelog(world, keys)
    const contenders = [{ name: 'mailonce', run: () => ours(world, keys, options) }]
    if (againstPeers) {
      await fillPeer(world, keys)
      contenders.push({ name: 'kafka-streams', run: () => theirs(world) })
    }
    const parts = resources.move()
    return { contenders, compared, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  },
}

async function ours(
  world: BenchWorld,
  keys: number,
  { nodeFlags }: ScenarioOptions,
): Promise<Figures> {
  const directory = `${world.directory}/restored`
  const startedMs = Date.now()
  await using processor = new ProcessorProcess(
    [
      `--kafka=${world.kafka}`,
      `--schema-registry=${world.registryUrl}`,
      `--state-dir=${directory}`,
    ],
    nodeFlags,
  )
  await processor.ready
  const cpuSeconds = processor.cpuSeconds()
  const runningMs = processor.loggedAtMs('running')
  const secondsRestoring = (runningMs - processor.loggedAtMs('assigned')) / 1000
  const { maxRssMb } = processor.memory()
  await processor[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
  return {
    keysPerSecond: keys / secondsRestoring,
    secondsRestoring,
    secondsToRunning: (runningMs - startedMs) / 1000,
    cpuSeconds,
    maxRssMb,
  }
}

const peer = { in: 'peer-in', 'application-id': 'peer', out: 'peer-out' }

/** A ninth more records than keys: what the peer loads repeats itself so often. */
async function fillPeer({ kafka, schemaId }: BenchWorld, keys: number): Promise<void> {
  const records = Math.round((keys * 10) / 9)
  await kafkaStreams('load', kafka, { topic: peer.in, partitions, records, 'schema-id': schemaId })
  await kafkaStreams('dedup', kafka, { ...peer, 'schema-id': schemaId })
}

async function theirs({ kafka, schemaId }: BenchWorld): Promise<Figures> {
  const line = await kafkaStreams('restore', kafka, { ...peer, 'schema-id': schemaId })
  return {
    keysPerSecond: line['keysPerSecond']!,
    secondsRestoring: line['secondsRestoring']!,
    secondsToRunning: line['secondsSinceJvmStart']!,
    maxRssMb: line['maxRssMb']!,
  }
}
