import { openStores } from './open-store.ts'
import { storeDefinitionsOf } from './positions.ts'
import {
  type CommittedRecordsFetcher,
  type FetchedBatch,
  partitionKey,
  type TopicPartition,
} from './ports.ts'
import type { SubTopology } from '../topology/topology.ts'
import type { TaskContext } from './task-context.ts'
import { applyChangelog, type TaskStore } from './task-store.ts'

/** The copy of one task's state: its stores, open, and how far each is behind its changelog. Belongs to nobody else while it is here. */
export class Standby {
  readonly taskId: string
  readonly #context: Omit<TaskContext, 'activeCycle'>
  readonly #subTopology: SubTopology
  readonly #partition: number
  readonly #stores = new Map<string, TaskStore>()
  /** By partition key. */
  readonly #byChangelog = new Map<string, TaskStore>()
  /** End of each changelog, as far as it is known. */
  readonly #ends = new Map<string, number>()
  /** Writes under way, of all its stores. */
  readonly #applying = new Set<Promise<void>>()

  constructor(
    context: Omit<TaskContext, 'activeCycle'>,
    taskId: string,
    subTopology: SubTopology,
    partition: number,
  ) {
    this.#context = context
    this.taskId = taskId
    this.#subTopology = subTopology
    this.#partition = partition
  }

  /** Opens the stores and has their changelogs fetched. Rejects as the state directory and the cluster do; nothing is open then. */
  async open(fetcher: CommittedRecordsFetcher): Promise<void> {
    try {
      await this.#open(fetcher)
    } catch (error) {
      await this.close(fetcher)
      throw error
    }
  }

  /** Takes one batch if it is of this task. */
  async apply(batch: FetchedBatch): Promise<boolean> {
    const key = partitionKey(batch)
    const store = this.#byChangelog.get(key)
    if (store === undefined) return false
    // Polled for an earlier copy of the same task, and known by now.
    if (batch.nextOffset <= store.position) return true
    this.#ends.set(key, Math.max(this.#ends.get(key) ?? 0, batch.highWatermark))
    const applied = applyChangelog(store, batch, this.#context.clock, batch.highWatermark)
    this.#applying.add(applied)
    try {
      await applied
    } finally {
      this.#applying.delete(applied)
    }
    return true
  }

  /** Changelog offsets of its stores, added up. */
  get position(): number {
    let sum = 0
    for (const store of this.#stores.values()) sum += store.position
    return sum
  }

  /** Changelog records not yet applied, as far as ends are known; Infinity before it is open. */
  get lag(): number {
    if (this.#byChangelog.size === 0) return Infinity
    let sum = 0
    for (const [key, store] of this.#byChangelog)
      sum += Math.max(0, (this.#ends.get(key) ?? 0) - store.position)
    return sum
  }

  /** Stops following and hands the open stores over, for a task that begins where the copy is. */
  async release(fetcher: CommittedRecordsFetcher): Promise<ReadonlyMap<string, TaskStore>> {
    for (const store of this.#stores.values()) fetcher.unassign(this.#changelogOf(store))
    await Promise.allSettled(this.#applying)
    const stores = new Map(this.#stores)
    this.#stores.clear()
    this.#byChangelog.clear()
    return stores
  }

  /** Files that turned out to be unreadable are deleted: whoever opens them next begins anew. */
  async close(fetcher: CommittedRecordsFetcher): Promise<void> {
    const { stateDirectory } = this.#context
    for (const { backend, definition } of (await this.release(fetcher)).values()) {
      await backend.close()
      if (backend.isCorrupted) await stateDirectory.destroy(this.taskId, definition)
    }
  }

  async #open(fetcher: CommittedRecordsFetcher): Promise<void> {
    const { admin } = this.#context.cluster
    await openStores(
      { id: this.taskId, context: this.#context, stores: this.#stores, corruptions: new Map() },
      storeDefinitionsOf(this.#subTopology),
    )
    const stores = [...this.#stores.values()]
    const changelogs = stores.map(store => this.#changelogOf(store))
    const [starts, ends] = await Promise.all([
      admin.startOffsets(changelogs),
      admin.endOffsets(changelogs),
    ])
    for (const store of stores) {
      const at = this.#changelogOf(store)
      const key = partitionKey(at)
      const end = ends.get(key) ?? 0
      const onDisk = await store.backend.position()
      store.position = onDisk?.offset ?? 0
      const isForeign = onDisk !== undefined && onDisk.topicId !== store.changelogTopicId
      if (isForeign || store.position > end) {
        this.#warnOfEvidence(store)
        continue
      }
      store.position = Math.max(store.position, starts.get(key) ?? 0)
      this.#ends.set(key, end)
      this.#byChangelog.set(key, store)
    }
    for (const [, store] of this.#byChangelog)
      fetcher.assign(this.#changelogOf(store), store.position)
  }

  /** A disk that knows more than its changelog is the proof that something was lost: it stays as it is, for whoever runs the task to judge. */
  #warnOfEvidence({ definition, position }: TaskStore): void {
    this.#context.log.warn(
      { event: 'standby-idle', task: this.taskId, store: definition.name, position },
      'the local copy belongs to another changelog or is ahead of it: it is left alone',
    )
  }

  #changelogOf(store: TaskStore): TopicPartition {
    return { topic: store.changelogTopic, partition: this.#partition }
  }
}
