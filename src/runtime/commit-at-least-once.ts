import { StreamsError } from '../errors.ts'
import type { StoreDefinition, StoreWrite } from '../state/store.ts'
import { gatherChangelog } from './changelog-records.ts'
import { assertFenced, type FrozenCycle, remembering } from './commit-cycle.ts'
import { isPositionsStore } from './positions.ts'
import { overrulingWrites } from './overrule.ts'
import {
  type GatheredRecords,
  type IdempotentProducer,
  partitionKey,
  type ProducedRange,
} from './ports.ts'
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
 * What a zombie has written before it was refused stays in the logs. Between our own records it is noticed, by the offset, and
 * overruled: see `overruleOthers`.
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
  await overruleOthers(producer, frozen, ranges)
  const processed = [...(await producer.sendGathered(positions))]
  await overruleOthers(producer, frozen, processed)
  ranges.push(...processed)
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

/** Whoever writes so often between our records is alive, and has this task. */
const overruledMax = 5

/**
 * Our records must stand right behind what the store has read, and next to each other. Otherwise somebody else has written to this
 * changelog: a zombie, or a request of ours that was given up. A restore would mix two histories: an entry of one may lack
 * what a position of the other says is done, or what our own offsets say. So whatever of theirs still counts is written over with what we know, before the
 * positions are, and the next restore makes of the changelog what our disk is. Only by who is still in the group: to whoever is not, the others are the owners.
 *
 * Adds to the ranges what it has written.
 */
async function overruleOthers(
  producer: IdempotentProducer,
  frozen: FrozenCycle,
  ranges: ProducedRange[],
): Promise<void> {
  const disturbed = frozen.tasks.flatMap(({ task, stores }) =>
    stores.flatMap(each => {
      const range = rangeOf(task, each.store.changelogTopic, ranges)
      return range === undefined || isUndisturbed(each, range) ? [] : [{ task, each, range }]
    }),
  )
  if (disturbed.length === 0) return
  await throwUnlessMember(producer, frozen)
  for (const { task, each, range } of disturbed)
    ranges.push(...(await overrule(producer, frozen, task, each, range)))
}

function isUndisturbed(
  { store, writes }: FrozenStore,
  { firstOffset, lastOffset }: ProducedRange,
): boolean {
  return firstOffset === store.position && lastOffset - firstOffset + 1 === writes.length
}

async function overrule(
  producer: IdempotentProducer,
  { atMs }: FrozenCycle,
  task: Task,
  disturbed: FrozenStore,
  { firstOffset, lastOffset }: ProducedRange,
): Promise<readonly ProducedRange[]> {
  const { store, writes } = disturbed
  const ranges: ProducedRange[] = []
  let end = lastOffset + 1
  for (let round = 0; round < overruledMax; round += 1) {
    const overruling = await overrulingWrites(task, disturbed, end)
    task.context.log.warn(
      { event: 'changelog-disturbed', task: task.id, store: store.definition.name },
      `${writes.length} records from ${store.position} on came to stand at ${firstOffset} to ${lastOffset}: somebody else writes to the changelog; ${overruling.length} entries are written over`,
    )
    if (overruling.length === 0) return ranges
    const gathered = producer.gather()
    const ordered = inSafeOrder(overruling, store.definition)
    gatherChangelog(gathered, store, task.partition, ordered, atMs)
    const [range] = await producer.sendGathered(gathered)
    ranges.push(range!)
    end = range!.lastOffset + 1
  }
  throw new StreamsError(
    'CHANGELOG_DISTURBED',
    `${store.changelogTopic}/${task.partition}: somebody else writes to it again and again`,
  )
}

/** Commits a position once more that the group has already, or would begin at: refused unless the generation is the group's. */
async function throwUnlessMember(
  producer: IdempotentProducer,
  { tasks, generation }: FrozenCycle,
): Promise<void> {
  const sources = tasks.flatMap(({ task }) => task.sources)
  const [first] = sources
  const [frozen] = tasks
  if (first === undefined || frozen === undefined) return
  const { applicationId, cluster } = frozen.task.context
  const committed = await cluster.admin.committedOffsets(applicationId, sources)
  const known = sources.find(each => committed.has(partitionKey(each)))
  const { topic, partition } = known ?? first
  const { offset, metadata } = committed.get(partitionKey({ topic, partition })) ?? {
    offset: (await cluster.admin.startOffsets([first])).get(partitionKey(first)) ?? 0,
    metadata: '',
  }
  await producer.commitOffsets([{ topic, partition, offset, metadata }], generation)
}

function rangeOf(
  { partition }: Task,
  topic: FrozenStore['store']['changelogTopic'],
  ranges: readonly ProducedRange[],
): ProducedRange | undefined {
  return ranges.find(each => each.topic === topic && each.partition === partition)
}
