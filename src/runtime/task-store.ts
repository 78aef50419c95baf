import type { OutboxStore } from '../effects/engine-options.ts'
import type { Delivery } from '../effects/delivery.ts'
import type { OverlaidStore } from '../state/overlaid-store.ts'
import type { StoreBackend, StoreDefinition } from '../state/store.ts'

/** One store's part in a task: its overlay, its disk and its changelog partition. */
export interface TaskStore {
  readonly definition: StoreDefinition
  readonly changelogTopic: string
  readonly changelogTopicId: string
  readonly backend: StoreBackend
  readonly overlaid: OverlaidStore<unknown>
  /** Next changelog offset to be read: up to here the backend is. */
  position: number
  /** Where the sweep for expired entries goes on. */
  sweepCursor: string
}

/**
 * The outbox as its engine sees it. `read` may return a value older than a commit that ended while the disk was read: the engine
 * knows which requests it has touched meanwhile, and takes only those it has not.
 */
export function outboxOf({ overlaid, backend, definition }: TaskStore): OutboxStore {
  const store = overlaid as OverlaidStore<Delivery>
  return {
    get: key => store.get(key),
    put: (key, value) => store.put(key, value),
    delete: key => store.delete(key),
    scanCommitted: (prefix, afterKey, limit) => store.scanCommitted(prefix, afterKey, limit),
    read: async keys => {
      const fromDisk = await backend.getMany(keys)
      return keys.map((key, index) => {
        if (store.isLoaded(key)) return store.get(key)
        const bytes = fromDisk[index]
        return bytes === undefined ? undefined : (definition.value.deserialize(bytes) as Delivery)
      })
    },
  }
}
