import { sleep } from '../clock.ts'
import { type FetchedBatch, partitionKey, type TopicPartition } from './ports.ts'
import { isPositionsStore } from './positions.ts'
import type { Task } from './task.ts'
import { applyChangelog, restoreFetch, type TaskStore } from './task-store.ts'

/**
 * Reads the changelogs of a task's stores from where each disk is, committed records only, until every position has reached its
 * end in `ends`, or the task leaves. The positions store is read up to its end and no further: see `restoreTask`. The next response is under way while one is written.
 */
export async function replay(task: Task, ends: ReadonlyMap<string, number>): Promise<void> {
  const { cluster, clock, log, metrics, restores } = task.context
  const { signal } = task.leaving
  const waiting = new Map(
    [...task.stores.values()].map(store => [partitionKey(changelogOf(task, store)), store]),
  )
  const starts = await cluster.admin.startOffsets(
    [...waiting.values()].map(store => changelogOf(task, store)),
  )
  const remaining = (key: string, store: TaskStore): number =>
    Math.max(0, (ends.get(key) ?? 0) - store.position)
  let offsets = 0
  for (const [key, store] of waiting) {
    store.position = Math.max(store.position, starts.get(key) ?? 0)
    offsets += remaining(key, store)
    if (remaining(key, store) === 0) waiting.delete(key)
  }
  if (waiting.size === 0) return
  const beganMs = clock.monotonicMs()
  let records = 0
  const progress = restores.begin(offsets)
  try {
    await using fetcher = cluster.createFetcher(restoreFetch)
    let ready = nothing
    fetcher.onReady(() => ready())
    for (const store of waiting.values()) fetcher.assign(changelogOf(task, store), store.position)
    while (waiting.size > 0 && !signal.aborted) {
      const batches = fetcher.poll()
      if (batches.length === 0) {
        const quiet = new AbortController()
        ready = () => quiet.abort()
        // The look again after a second is for the signal alone: data wakes at once.
        await sleep(clock, 1000, quiet.signal)
        continue
      }
      for (const batch of batches) {
        const key = partitionKey(batch)
        const store = waiting.get(key)
        if (store === undefined) continue
        const before = remaining(key, store)
        const end = ends.get(key) ?? 0
        const isBound = isPositionsStore(task.subTopology, store.definition)
        await applyChangelog(store, isBound ? upTo(batch, end) : batch, clock, end)
        const left = remaining(key, store)
        records += batch.records.length
        progress.advance(batch.records.length, before - left)
        const labels = { task: task.id, store: store.definition.name }
        metrics.stores.restored.labels(labels).inc(batch.records.length)
        metrics.stores.restoreRemaining.labels(labels).set(left)
        if (left > 0) continue
        waiting.delete(key)
        fetcher.unassign(batch)
      }
    }
  } finally {
    progress.end()
  }
  const milliseconds = Math.round(clock.monotonicMs() - beganMs)
  log.info({ event: 'restored', task: task.id, records, milliseconds }, `${task.id} restored`)
}

/** Nothing of what was written behind the end. Markers there may be stepped over. */
function upTo(batch: FetchedBatch, end: number): FetchedBatch {
  const records = batch.records.filter(({ offset }) => offset < end)
  return records.length === batch.records.length ? batch : { ...batch, records, nextOffset: end }
}

export function changelogOf(task: Task, store: TaskStore): TopicPartition {
  return { topic: store.changelogTopic, partition: task.partition }
}

const nothing = (): void => undefined
