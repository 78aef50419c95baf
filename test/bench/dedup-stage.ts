import assert from 'node:assert/strict'

import { topicNames } from '../../src/email/topic-names.ts'
import { type BenchWorld, createTopic, deleteTopics, openBenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'
import { type DedupKind, DedupProcess } from './dedup-process.ts'
import { loadRequests } from './load-requests.ts'
import { kafkaStreams } from './peers.ts'
import type { Figures, Scenario, ScenarioOptions } from './scenario.ts'

/** What a run of the stage is judged by. */
export const compared = [
  'recordsPerSecond',
  'recordsPerSecondSecondHalf',
  'cpuMicrosPerRecord',
  'cpuMicrosPerRecordSecondHalf',
  'maxRssMb',
]

/** The dedup stage alone: RocksDB store with changelog, Avro in and out, 600-byte texts, 10 % duplicates. */
export const dedupStage = dedupScenario('dedup', 'dedup stage, one worker', 1)

/** The same in one process that uses both cores of a small machine. */
export const dedupStageThreads = dedupScenario('dedup-threads', 'dedup stage, two threads', 2)

function dedupScenario(name: string, what: string, threads: number): Scenario {
  return {
    name,
    what,
    open: async options => {
      await using resources = new AsyncDisposableStack()
      const world = resources.use(await openBenchWorld())
      const different = await load(world, options)
      const run = () => ours(world, options, different, { threads })
      const contenders = [{ name: 'mailonce', run }]
      const peer = () => theirs(world, options, different, threads)
      if (options.againstPeers) contenders.push({ name: 'kafka-streams', run: peer })
      const parts = resources.move()
      return { contenders, compared, [Symbol.asyncDispose]: () => parts.disposeAsync() }
    },
  }
}

/** The peer writes what both read; returns how many requests are different. */
export async function load(world: BenchWorld, options: ScenarioOptions): Promise<number> {
  const { records, againstPeers } = options
  if (againstPeers) {
    const { unique } = await kafkaStreams('load', world.kafka, {
      topic: topicNames.requested,
      partitions,
      records,
      'schema-id': world.schemaId,
    })
    return unique!
  }
  await createTopic(world, topicNames.requested)
  return loadRequests(world, { records, duplicatePercent: 10, textBytes: 600 })
}

/** One run of the stage, from the beginning. */
export async function ours(
  world: BenchWorld,
  options: ScenarioOptions,
  different: number,
  kind?: Partial<DedupKind>,
): Promise<Figures> {
  await using worker = new DedupProcess(world, options.records, options, kind)
  await createTopic(world, worker.output)
  const figures = await worker.line()
  if (options.againstPeers) await check(world, worker.output, different)
  await deleteTopics(world.kafka, worker.topics)
  return figures
}

async function theirs(
  world: BenchWorld,
  options: ScenarioOptions,
  different: number,
  threads: number,
): Promise<Figures> {
  const output = 'peer-out'
  const line = await kafkaStreams('dedup', world.kafka, {
    in: topicNames.requested,
    out: output,
    records: options.records,
    threads,
    'schema-id': world.schemaId,
  })
  await check(world, output, different)
  await deleteTopics(world.kafka, [output])
  return Object.fromEntries(['records', ...compared].map(name => [name, line[name]!]))
}

/** A speed that loses or repeats something is none. */
async function check({ kafka }: BenchWorld, topic: string, different: number): Promise<void> {
  const { records, differentKeys, repeats } = await kafkaStreams('count', kafka, { topic })
  assert.deepEqual(
    { records, differentKeys, repeats },
    { records: different, differentKeys: different, repeats: 0 },
  )
}
