import type { ProducedRecord, TopicPartition } from '../../src/runtime/ports.ts'
import type { TaskWorld } from './task-world.ts'

/** Of the store of the task of a `TaskWorld`. */
export const changelog: TopicPartition = { topic: 'app-words-changelog', partition: 0 }

export function entry(key: string, value: string | null): ProducedRecord {
  const bytes = value === null ? null : Buffer.from(value)
  return { ...changelog, key: Buffer.from(key), value: bytes, headers: [], timestampMs: 0 }
}

/** One transaction of another owner; `end` says how it ended, or that it has not. */
export async function transaction(
  world: TaskWorld,
  entries: readonly ProducedRecord[],
  end: 'commit' | 'abort' | 'open',
): Promise<void> {
  const { simulation, cluster } = world
  const transactionalId = simulation.random.uuid()
  const producer = cluster.createProducer({ transactionalId, transactionTimeoutMs: 10_000 })
  await simulation.settle(producer.init())
  await simulation.settle(producer.send(entries))
  if (end !== 'open') await simulation.settle(producer[end]())
}

/** Counts what is asked of the changelog from here on: the offsets at which reading begins. */
export function watchReads(world: TaskWorld): number[] {
  const offsets: number[] = []
  const { cluster } = world
  const createFetcher = cluster.createFetcher.bind(cluster)
  cluster.createFetcher = options => {
    const fetcher = createFetcher(options)
    const assign = fetcher.assign.bind(fetcher)
    fetcher.assign = (at, offset) => {
      offsets.push(offset)
      assign(at, offset)
    }
    return fetcher
  }
  return offsets
}
