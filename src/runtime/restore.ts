import { StreamsError } from '../errors.ts'
import { InputQueue } from './input-queue.ts'
import {
  lostChangelog,
  lostSource,
  offsetAfterLoss,
  type SourceEvidence,
  stateLostError,
} from './lost-state.ts'
import { discardStore, openStores } from './open-store.ts'
import { partitionKey } from './ports.ts'
import { isPositionsStore, positionKey } from './positions.ts'
import { changelogOf, replay } from './replay.ts'
import type { Task } from './task.ts'
import type { TaskStore } from './task-store.ts'

/**
 * Brings a task from whatever is on this disk to exactly what is committed. The order matters:
 *
 * 1. The group's *stable* offsets are read first: that waits for any transaction that holds them back, and every
 *    transaction that contributed to them had produced its changelog records before.
 * 2. Then the end of the changelog is read, open transactions included: so all those records lie before it.
 * 3. Then the changelog is read, committed records only, until the *position* has reached that end. The tail may be
 *    markers or aborted data, so no record is ever waited for.
 *
 * The positions store says which records need not be read again, and so it must never be newer than what came of them. Where cycles are
 * transactions both are of one commit. Without transactions it is written last, so its end is read first, and it is read
 * up to there and no further, whoever writes to it meanwhile.
 *
 * The same for a new task, a restart and a commit whose outcome nobody knows: what the cluster says is the truth.
 */
export async function restoreTask(task: Task): Promise<void> {
  const { context } = task
  const { signal } = task.leaving
  await openStores(task, task.storeDefinitions)
  const { admin } = context.cluster
  const committed = await admin.committedOffsets(context.applicationId, task.sources)
  const ends = await endsOf(task)
  const sources = task.sources.map(source => ({
    source,
    topicId: context.catalog.describe(source.topic).topicId,
    end: ends.get(partitionKey(source)) ?? 0,
    committed: committed.get(partitionKey(source)),
  }))
  const isLossAccepted = await checkLosses(task, sources, ends)
  const fromStart = sources.filter(each => each.committed === undefined || lostSource(each))
  const starts = await admin.startOffsets(fromStart.map(each => each.source))
  for (const [name, store] of task.stores)
    await checkPosition(task, name, store, ends.get(partitionKey(changelogOf(task, store))) ?? 0)
  await replay(task, ends)
  if (signal.aborted) return
  for (const each of sources) {
    const { topic } = each.source
    const start = starts.get(partitionKey(each.source)) ?? 0
    const offset = lostSource(each) ? offsetAfterLoss(each, start) : each.committed?.offset
    task.queues.set(topic, new InputQueue(offset ?? start))
  }
  await readPositions(task, isLossAccepted ? sources : [])
  // The next commit is the memory of what has been accepted: it covers every source.
  if (isLossAccepted) for (const { topic } of task.sources) task.touch(topic)
  if (task.engines.size === 0) task.createEngines()
  for (const engine of task.engines.values()) await engine.recover()
}

/** Of changelogs and sources, in the order that is safe. */
async function endsOf(task: Task): Promise<ReadonlyMap<string, number>> {
  const { admin } = task.context.cluster
  const { positions = [], others = [] } = Object.groupBy(task.stores.values(), store =>
    isPositions(task, store) ? 'positions' : 'others',
  )
  const first = await admin.endOffsets(positions.map(store => changelogOf(task, store)))
  const rest = await admin.endOffsets([
    ...others.map(store => changelogOf(task, store)),
    ...task.sources,
  ])
  return new Map([...first, ...rest])
}

function isPositions(task: Task, { definition }: TaskStore): boolean {
  return isPositionsStore(task.subTopology, definition)
}

/** Throws CHANGELOG_LOST unless the loss is accepted; true when there is one. */
async function checkLosses(
  task: Task,
  sources: readonly SourceEvidence[],
  ends: ReadonlyMap<string, number>,
): Promise<boolean> {
  const reasons = sources.flatMap(each => lostSource(each) ?? [])
  for (const [name, store] of task.stores) {
    const changelog = changelogOf(task, store)
    const end = ends.get(partitionKey(changelog)) ?? 0
    const onDisk = await store.backend.position()
    const evidence = { store: name, changelog, topicId: store.changelogTopicId, end, onDisk }
    const reason = lostChangelog(evidence, sources)
    if (reason !== undefined) reasons.push(reason)
  }
  if (reasons.length === 0) return false
  const { acceptLostState, log } = task.context
  if (!acceptLostState) throw stateLostError(reasons)
  log.warn({ event: 'lost-state-accepted', task: task.id }, reasons.join('; '))
  return true
}

/**
 * How long a disk may have been away, milliseconds: half of the 24 hours for which Kafka keeps the tombstones of a compacted
 * topic (`delete.retention.ms`). Whoever was away for longer may have missed a deletion that can no longer be read: a
 * request that has ended would still be open on this disk, and would be mailed again.
 */
const awayMaxMs = 12 * 3_600_000

/**
 * A disk that is ahead of the changelog, or of another life of it, is not a copy of it: once that is accepted it is deleted
 * and restored. So is one that was away for too long.
 */
async function checkPosition(
  task: Task,
  name: string,
  store: TaskStore,
  end: number,
): Promise<void> {
  const { log, clock } = task.context
  const position = await store.backend.position()
  const ahead = (position?.offset ?? 0) > end
  const foreign = position !== undefined && position.topicId !== store.changelogTopicId
  const awayMs = clock.nowMs() - (position?.atMs ?? clock.nowMs())
  const behind = (position?.offset ?? 0) < end
  if (!ahead && !foreign && !(behind && awayMs > awayMaxMs)) {
    store.position = position?.offset ?? 0
    return
  }
  const reason = foreign
    ? 'belongs to a changelog that no longer exists'
    : ahead
      ? `is at ${position?.offset}, ahead of its changelog's end ${end}`
      : `has been away for ${Math.round(awayMs / 3_600_000)} hours and may have missed deletions`
  log.warn(
    { event: 'store-foreign', task: task.id, store: name },
    `the local store ${reason}: it is deleted and restored`,
  )
  await discardStore(task, store.definition)
}

/** What has been processed of each source, where that is kept, whatever the group's offsets say. */
async function readPositions(task: Task, shortened: readonly SourceEvidence[]): Promise<void> {
  const { catalog } = task.context
  const positions = task.stores.get(`${task.subTopology.name}-positions`)
  task.processedBelow.clear()
  if (positions === undefined) return
  for (const { topic, partition } of task.sources) {
    const { topicId } = catalog.describe(topic)
    const [stored] = await positions.backend.getMany([positionKey(topic, topicId)])
    if (stored === undefined) continue
    // What was cut off will be written anew, by others: it has not been processed.
    const end = shortened.find(each => each.source.topic === topic)?.end ?? Infinity
    const offset = Math.min(end, positions.definition.value.deserialize(stored) as number)
    task.processedBelow.set(topic, offset)
    const committed = task.queues.get(topic)!.position
    if (committed < offset)
      task.context.log.warn(
        { event: 'offsets-set-back', topic, partition, committed, processed: offset },
        `the group's offset lies before what has been processed: ${offset - committed} records are not new`,
      )
  }
}

/** An error that only says that the cluster is out of reach just now. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof StreamsError &&
    (error.recovery === 'retry' || error.recovery === 'wait' || error.recovery === 'resolve')
  )
}

/** The next try finds another world: the cluster in reach, or new files in place of those that cannot be read. */
export function canRestoreAgain(error: unknown): boolean {
  return isPassing(error) || (error instanceof StreamsError && error.recovery === 'restore')
}

/** Nothing that is tried again would help. */
export function isStop(error: unknown): boolean {
  return !(error instanceof StreamsError) || error.recovery === 'stop' || error.recovery === 'skip'
}
