import type { Clock } from '../clock.ts'
import type { OutboxStore } from '../effects/engine-options.ts'
import type { Delivery } from '../effects/delivery.ts'
import type { FetchedBatch } from './ports.ts'
import type { OverlaidStore } from '../state/overlaid-store.ts'
import type { StoreBackend, StoreDefinition } from '../state/store.ts'
import type { SweepState } from './sweeper.ts'
import type { WatchedBackend } from './watched-backend.ts'

/** One store's part in a task: its overlay, its disk and its changelog partition. */
export interface TaskStore {
  readonly definition: StoreDefinition
  readonly changelogTopic: string
  readonly changelogTopicId: string
  readonly backend: WatchedBackend
  readonly overlaid: OverlaidStore<unknown>
  /** Next changelog offset to be read: up to here the backend is. */
  position: number
  readonly sweep: SweepState
}

/** What reading needs of a store. */
export interface ReadableStore extends Pick<TaskStore, 'definition' | 'overlaid'> {
  readonly backend: Pick<StoreBackend, 'getMany'>
}

/**
 * How changelogs are read. Many tasks restore at a time, each with a response that is being applied and one under way, so the bytes
 * are few; and records are decoded as they are applied, because what waits decoded is old when the collector looks.
 */
export const restoreFetch = Object.freeze({
  maxWaitMs: 100,
  maxBytesPerPartition: 1024 * 1024,
  maxBytes: 8 * 1024 * 1024,
  recordsPerPoll: 1000,
})

/** Brings the disk forward by one batch of its changelog, which ends (or ended, when it was asked) at `end`. */
export async function applyChangelog(
  store: TaskStore,
  batch: FetchedBatch,
  clock: Clock,
  end: number,
): Promise<void> {
  const writes = batch.records.map(record => ({
    key: record.key?.toString('utf8') ?? '',
    value: record.value,
  }))
  const isLast = batch.nextOffset >= end
  // On the way the disk has heard what was deleted until then, and no more.
  const atMs = isLast
    ? clock.nowMs()
    : (batch.records.at(-1)?.timestampMs ?? (await heardMs(store, clock)))
  await store.backend.apply(writes, {
    topicId: store.changelogTopicId,
    offset: batch.nextOffset,
    atMs,
  })
  store.position = batch.nextOffset
}

async function heardMs({ backend }: TaskStore, clock: Clock): Promise<number> {
  return (await backend.position())?.atMs ?? clock.nowMs()
}

/**
 * The outbox as its engine sees it. `read` answers with what was true when it was called: the overlays are looked at before the
 * disk is waited for, because a commit that ends meanwhile moves their entries to a disk that has been read already. What is
 * written while it waits the engine knows itself. The store is asked for each time: a restore may put another in its place.
 */
export function outboxOf(current: () => ReadableStore): OutboxStore {
  const overlay = (): OverlaidStore<Delivery> => current().overlaid as OverlaidStore<Delivery>
  return {
    get: key => overlay().get(key),
    put: (key, value) => overlay().put(key, value),
    delete: key => overlay().delete(key),
    scanCommitted: (prefix, afterKey, limit) => overlay().scanCommitted(prefix, afterKey, limit),
    read: async keys => {
      const store = overlay()
      const { backend, definition } = current()
      const known = keys.map(key => (store.isLoaded(key) ? { value: store.get(key) } : undefined))
      const missing = keys.filter((_key, index) => known[index] === undefined)
      const fromDisk = await backend.getMany(missing)
      const read = new Map(missing.map((key, index) => [key, fromDisk[index]]))
      return keys.map((key, index) => {
        const answer = known[index]
        if (answer) return answer.value
        const bytes = read.get(key)
        return bytes === undefined ? undefined : (definition.value.deserialize(bytes) as Delivery)
      })
    },
  }
}
