import assert from 'node:assert/strict'
import { gatherChangelog } from './changelog-records.ts'
import { encodeCommitMetadata } from './commit-metadata.ts'
import type { Cycle } from './cycle.ts'
import {
  type GroupGeneration,
  type OffsetToCommit,
  partitionKey,
  type ProducedRange,
  type TransactionalProducer,
} from './ports.ts'
import { changelogMarks, type FrozenTask, positionAfter, type Task } from './task.ts'

/** A cycle on its way: nothing of it changes any more. */
export interface FrozenCycle {
  readonly cycle: Cycle
  /** When it was frozen, wall clock, milliseconds: the time of its changelog records. */
  readonly atMs: number
  readonly tasks: readonly FrozenTask[]
  /** At least one, unless no task is owned: the fence. */
  readonly offsets: readonly OffsetToCommit[]
  readonly generation: GroupGeneration
}

/**
 * One transaction. Its order is the promise:
 *
 * 1. Outputs and changelog records are produced: nobody who reads committed data sees them.
 * 2. The positions follow, under the generation in which the records were fetched. If the group has gone on without us the
 *    coordinator refuses here, and the transaction can never commit: whoever owns the partitions now starts from the
 *    positions before it, with a store before it.
 * 3. The end of the transaction makes 1 and 2 visible, all or nothing. When its reply is lost nobody knows: the caller
 *    initialises the producer, which decides it, and reads back what the cluster says.
 *
 * Only after the return may anything that cannot be undone follow: the disk (`applyToDisk`), gates, dots. So the disk never
 * holds what was not committed, and no dot is written without an ATTEMPT that the next owner will find.
 */
export async function commitCycle(
  producer: TransactionalProducer,
  frozen: FrozenCycle,
): Promise<readonly ProducedRange[]> {
  const { cycle, tasks, offsets, generation, atMs } = frozen
  assertFenced(frozen)
  const { gathered } = cycle
  for (const { task, stores } of tasks)
    for (const { store, writes } of stores)
      gatherChangelog(gathered, store, task.partition, writes, atMs)

  const ranges = await producer.sendGathered(gathered)
  if (offsets.length > 0) await producer.addOffsets(remembering(frozen, ranges), generation)
  await producer.commit()

  return ranges
}

export function assertFenced({ offsets, tasks }: FrozenCycle): void {
  assert(
    offsets.length > 0 || tasks.length === 0,
    'offsets fence the cycle: one that consumed nothing commits a position again',
  )
}

/** The positions, with what the cycle leaves behind in the changelogs: see `encodeCommitMetadata`. */
export function remembering(
  { tasks, offsets }: FrozenCycle,
  ranges: readonly ProducedRange[],
): OffsetToCommit[] {
  const readers = new Map(
    tasks.flatMap(({ task }) => task.sources.map(at => [partitionKey(at), task] as const)),
  )
  const marks = new Map<Task, ReturnType<typeof changelogMarks>>()
  return offsets.map(each => {
    const task = readers.get(partitionKey(each))
    if (task === undefined) return each
    const changelogs = marks.get(task) ?? changelogMarks(task, ranges)
    marks.set(task, changelogs)
    const { topicId } = task.context.catalog.describe(each.topic)
    return { ...each, metadata: encodeCommitMetadata(each.metadata, topicId, changelogs) }
  })
}

/** The committed cycle onto the disk: for each store one atomic batch of values and changelog position. */
export async function applyToDisk(
  frozen: Pick<FrozenCycle, 'tasks'>,
  ranges: readonly ProducedRange[],
): Promise<void> {
  await Promise.all(
    frozen.tasks.flatMap(({ task, stores }) =>
      stores.map(async ({ store, writes }) => {
        if (writes.length === 0) return
        const offset = positionAfter(store, task.partition, ranges)
        const atMs = task.context.clock.nowMs()
        await store.backend.apply(writes, { topicId: store.changelogTopicId, offset, atMs })
        store.position = offset
      }),
    ),
  )
}
