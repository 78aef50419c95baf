import { StreamsError } from '../errors.ts'
import type { StoreDefinition, StoreWrite } from '../state/store.ts'
import { gatherChangelog } from './changelog-records.ts'
import { assertFenced, type FrozenCycle, remembering } from './commit-cycle.ts'
import { isPositionsStore } from './positions.ts'
import { type GatheredRecords, type IdempotentProducer, type ProducedRange } from './ports.ts'
import type { FrozenStore, Task } from './task.ts'

/**
 * One cycle without a transaction. Each step begins when all replicas have the one before, and every prefix of them is a state from which
 * the same input, processed again, loses nothing:
 *
 * 1. Outputs. When it ends here they are produced once more.
 * 2. What the stores hold, in the order of `inSafeOrder`. A record that they know as done has its outputs in the log: so that it is
 *    dropped when it is read again is no loss. The other way round it would be one: a request that is known and was never passed on.
 * 3. How far the task has processed its sources, for those that it must not read twice: only behind everything that was done by then.
 * 4. The group's positions, under the generation in which the records were fetched. Who is no longer in it is refused here,
 *    before anything that cannot be undone: so a dot has an ATTEMPT in front of it, written by the owner, that the next owner reads.
 *
 * What a zombie has written before it was refused stays in the logs. Between our own records it is noticed, by the offset:
 * see `throwIfDisturbed`.
 */
export async function commitAtLeastOnce(
  producer: IdempotentProducer,
  frozen: FrozenCycle,
): Promise<readonly ProducedRange[]> {
  const { cycle, generation } = frozen
  assertFenced(frozen)
  const changelogs = producer.gather()
  const positions = producer.gather()
  gatherChangelogs(frozen, (task, definition) =>
    isPositionsStore(task.subTopology, definition) ? positions : changelogs,
  )

  await producer.sendGathered(cycle.gathered)
  const ranges = [...(await producer.sendGathered(changelogs))]
  ranges.push(...(await producer.sendGathered(positions)))
  throwIfDisturbed(frozen, ranges)
  await producer.commitOffsets(remembering(frozen, ranges), generation)

  return ranges
}

function gatherChangelogs(
  { tasks, atMs }: FrozenCycle,
  into: (task: Task, definition: StoreDefinition) => GatheredRecords,
): void {
  for (const { task, stores } of tasks)
    for (const { store, writes } of stores) {
      const { definition } = store
      const ordered = inSafeOrder(writes, definition)
      gatherChangelog(into(task, definition), store, task.partition, ordered, atMs)
    }
}

/**
 * Entries, then the one that speaks of them, then deletions: a changelog that ends within a cycle has too much rather than too little.
 * An entry that moves from one key to another is there twice for a while, and never gone.
 */
export function inSafeOrder(
  writes: readonly StoreWrite[],
  { writtenLast }: Pick<StoreDefinition, 'writtenLast'>,
): readonly StoreWrite[] {
  const last = writes.filter(({ key, value }) => value !== null && key === writtenLast)
  const entries = writes.filter(({ key, value }) => value !== null && key !== writtenLast)
  return [...entries, ...last, ...writes.filter(({ value }) => value === null)]
}

/**
 * Our records must stand right behind what the store has read, and next to each other. Otherwise somebody else has written to this
 * changelog, a zombie or a request of ours that was given up, and the store is no longer what a restore would make of it. So the
 * cycle fails, and the restore that follows reads theirs and ours in the order of the log.
 */
function throwIfDisturbed({ tasks }: FrozenCycle, ranges: readonly ProducedRange[]): void {
  for (const { task, stores } of tasks)
    for (const { store, writes } of stores) {
      const range = rangeOf(task, store.changelogTopic, ranges)
      if (range === undefined) continue
      const { firstOffset, lastOffset } = range
      if (firstOffset === store.position && lastOffset - firstOffset + 1 === writes.length) continue
      throw new StreamsError(
        'CHANGELOG_DISTURBED',
        `${store.changelogTopic}/${task.partition}: ${writes.length} records from ${store.position} on came to stand at ${firstOffset} to ${lastOffset}: somebody else writes to it`,
      )
    }
}

function rangeOf(
  { partition }: Task,
  topic: FrozenStore['store']['changelogTopic'],
  ranges: readonly ProducedRange[],
): ProducedRange | undefined {
  return ranges.find(each => each.topic === topic && each.partition === partition)
}
