import assert from 'node:assert/strict'
import type { EffectDefinition } from '../effects/effect.ts'
import { EffectEngine } from '../effects/engine.ts'
import type { Moment } from '../effects/flight.ts'
import type { Serde } from '../serde.ts'
import type { OverlaidStore } from '../state/overlaid-store.ts'
import { type KeyValueStore, type StoreDefinition, type StoreWrite } from '../state/store.ts'
import type { EffectNode, SinkNode, StreamRecord, SubTopology } from '../topology/topology.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import { taskIdOf } from './task-group.ts'
import type { ChangelogMark } from './commit-metadata.ts'
import { toDeadLetters } from './dead-letter.ts'
import type { InputQueue } from './input-queue.ts'
import {
  type FetchedBatch,
  type OffsetToCommit,
  partitionKey,
  type ProducedRange,
  type TopicPartition,
} from './ports.ts'
import { positionKey, positionsStore, storeDefinitionsOf } from './positions.ts'
import type { TaskContext } from './task-context.ts'
import { type GraphEnvironment, TaskGraph } from './task-graph.ts'
import { outboxOf, type TaskStore } from './task-store.ts'
import { topicName } from './topic-catalog.ts'

/**
 * `created` → `restoring` → `running` → `closed`; a failed cycle leads from `running` to `restoring` again. Only a running
 * task is given records, turns and a part in commits.
 */
export type TaskState = 'created' | 'restoring' | 'running' | 'closed'

const transitions: Readonly<Record<TaskState, readonly TaskState[]>> = {
  created: ['restoring', 'closed'],
  restoring: ['restoring', 'running', 'closed'],
  running: ['restoring', 'closed'],
  closed: [],
}

/** One of the partitions that a task reads. */
export interface TaskSource extends TopicPartition {
  /** See `partitionKey`. */
  readonly key: string
  /** Decisions and evidence for an effect: it takes them when it takes no more requests. */
  readonly isCommands: boolean
}

/** One store's share of a cycle. */
export interface FrozenStore {
  readonly store: TaskStore
  readonly writes: readonly StoreWrite[]
}

/** A task's share of a cycle that is about to commit. */
export interface FrozenTask {
  readonly task: Task
  readonly stores: readonly FrozenStore[]
  readonly offsets: readonly OffsetToCommit[]
}

/** One sub-topology on one partition: its queues, its stores, its effects. Everything here happens in the worker's loop. */
export class Task {
  readonly id: string
  readonly subTopology: SubTopology
  readonly partition: number
  /** Ends the restore of a task that leaves. */
  readonly leaving = new AbortController()
  readonly queues = new Map<string, InputQueue>()
  readonly stores = new Map<string, TaskStore>()
  readonly engines = new Map<string, EffectEngine<unknown>>()
  readonly context: TaskContext
  readonly environment: GraphEnvironment
  readonly graph: TaskGraph
  /** Below these offsets everything has been processed, although the group's offsets say otherwise. */
  readonly processedBelow = new Map<string, number>()
  /** How often each store could not be read and was made anew. */
  readonly corruptions = new Map<string, number>()
  /** Never change, and are asked for in every turn. */
  readonly sources: readonly TaskSource[]
  readonly effects: readonly EffectNode[]
  readonly #positions: StoreDefinition<number> | undefined
  #state: TaskState = 'created'
  #progressed = new Set<string>()
  #overlays: readonly OverlaidStore<unknown>[] = []

  constructor(context: TaskContext, subTopology: SubTopology, partition: number) {
    this.id = taskIdOf(subTopology.name, partition)
    this.context = context
    this.subTopology = subTopology
    this.partition = partition
    this.effects = subTopology.nodes.filter(node => node.kind === 'effect')
    this.sources = this.#findSources()
    this.#positions = positionsStore(subTopology)
    this.environment = {
      applicationId: context.applicationId,
      partition,
      partitions: context.catalog.taskCount(subTopology),
      origin: undefined,
      streamTimeMs: -Infinity,
      store: definition => this.#store(definition),
      table: context.table,
      engine: node => this.engines.get(node.name)!,
      produce: (sink, record) => this.#produce(sink, record),
      count: (name, by) => context.activeCycle().count(name, by),
    }
    this.graph = new TaskGraph(subTopology, this.environment)
  }

  get state(): TaskState {
    return this.#state
  }

  moveTo(state: TaskState): void {
    assert(transitions[this.#state].includes(state), `task ${this.id}: ${this.#state} → ${state}`)
    this.#state = state
    if (state === 'running') this.#overlays = [...this.stores.values()].map(each => each.overlaid)
  }

  /** Of a running task, which has the same stores all the time: asked for every record. */
  get overlays(): readonly OverlaidStore<unknown>[] {
    return this.#overlays
  }

  get storeDefinitions(): readonly StoreDefinition[] {
    return storeDefinitionsOf(this.subTopology)
  }

  /** Begins with the open stores of a standby, instead of opening them. */
  adopt(stores: ReadonlyMap<string, TaskStore>): void {
    assert(this.#state === 'created', `task ${this.id} has stores of its own already`)
    for (const [name, store] of stores) this.stores.set(name, store)
  }

  /** Its stores are open and up to date: the effects get their engines. */
  createEngines(): void {
    for (const node of this.effects) {
      const definition = node.definition as EffectDefinition
      const { context } = this
      const commands = this.subTopology.sources.find(each => each.name === node.commandsFrom)!
      const address = {
        topic: topicName(context.applicationId, commands.topic),
        partition: this.partition,
      }
      const engine = new EffectEngine({
        definition,
        store: outboxOf(() => this.stores.get(node.store.name)!),
        slots: context.slots.get(node.name)!,
        table: context.table,
        journal: context.journal,
        clock: context.clock,
        random: context.random,
        log: context.log,
        // A task that leaves and comes back begins to count anew: evidence of its former life must not fit the new tokens.
        incarnation: `${context.incarnation}:${this.id}:${context.random.uuid().slice(0, 8)}`,
        address,
        wake: context.wake,
        onLateFact: fact => context.onLateFact(address, fact),
        deadLetter: ({ key, headers, payload, origin, reason }) =>
          toDeadLetters(context, { ...origin, key, headers, value: payload }, reason),
        count: (what, kind) =>
          what === 'end'
            ? context.metrics.ends.labels({ effect: node.name, end: kind }).inc()
            : context.metrics.outcomes.labels({ effect: node.name, outcome: kind }).inc(),
      })
      this.engines.set(node.name, engine)
    }
  }

  enqueue(batch: FetchedBatch): void {
    const queue = this.queues.get(batch.topic)
    if (queue === undefined) return
    const before = queue.position
    queue.add(batch)
    // Markers alone are progress too, but not worth a commit of their own.
    if (queue.position !== before) this.#progressed.add(batch.topic)
  }

  /** Its position is part of the next commit, although nothing of it has been read. */
  touch(topic: string): void {
    this.#progressed.add(topic)
  }

  /** Records of this source up to here have been processed in the active cycle. */
  progressed(topic: string): void {
    this.#progressed.add(topic)
    const definition = this.#positions
    if (definition === undefined) return
    const source = this.subTopology.sources.find(
      each => topicName(this.context.applicationId, each.topic) === topic,
    )
    if (source === undefined || source.reread === 'process') return
    const { topicId } = this.context.catalog.describe(topic)
    const position = Math.max(this.queues.get(topic)!.position, this.processedBelow.get(topic) ?? 0)
    this.#store(definition).put(positionKey(topic, topicId), position)
  }

  get queuedRecords(): number {
    let size = 0
    for (const queue of this.queues.values()) if (!queue.parked) size += queue.size
    return size
  }

  get queuedBytes(): number {
    let bytes = 0
    for (const queue of this.queues.values()) if (!queue.parked) bytes += queue.bytes
    return bytes
  }

  /** Of the active cycle's writes into its stores. */
  get writtenBytes(): number {
    let bytes = 0
    for (const store of this.stores.values()) bytes += store.overlaid.writtenBytes
    return bytes
  }

  get hasWrites(): boolean {
    for (const store of this.stores.values()) if (store.overlaid.activeSize > 0) return true
    return false
  }

  get hasProgress(): boolean {
    return this.#progressed.size > 0
  }

  // ------------------------------------------------------------ the cycle

  /** Hands over everything of the active cycle; the next one begins. */
  freeze(metadata: string): FrozenTask {
    const stores = [...this.stores.values()].map(store => ({
      store,
      writes: store.overlaid.freeze(),
    }))
    const offsets = [...this.#progressed].map(topic => this.#offset(topic, metadata))
    this.#progressed = new Set()
    return { task: this, stores, offsets }
  }

  /** An owned position, committed again: fences a cycle that consumed nothing. */
  anyOffset(metadata: string): OffsetToCommit {
    return this.#offset(this.sources[0]!.topic, metadata)
  }

  freezeEngines(moment: Moment): void {
    for (const engine of this.engines.values()) engine.freeze(moment)
  }

  /** The cycle's overlays are on disk. */
  retire(): void {
    for (const store of this.stores.values()) store.overlaid.retire()
  }

  /** Everything since the last commit is taken back, and what lies in memory is no longer believed. */
  fail(): void {
    for (const store of this.stores.values()) store.overlaid.drop()
    for (const engine of this.engines.values()) engine.failed()
    this.queues.clear()
    this.#progressed = new Set()
    this.environment.streamTimeMs = -Infinity
  }

  async closeStores(): Promise<void> {
    for (const store of this.stores.values()) await store.backend.close()
    this.stores.clear()
  }

  #offset(topic: string, metadata: string): OffsetToCommit {
    return { topic, partition: this.partition, offset: this.queues.get(topic)!.position, metadata }
  }

  #findSources(): readonly TaskSource[] {
    const { partition } = this
    const commands = new Set(this.effects.map(each => each.commandsFrom))
    return this.subTopology.sources.map(each => {
      const topic = topicName(this.context.applicationId, each.topic)
      const at = { topic, partition }
      return { ...at, key: partitionKey(at), isCommands: commands.has(each.name) }
    })
  }

  #store<Value>(definition: StoreDefinition<Value>): KeyValueStore<Value> {
    return this.stores.get(definition.name)!
      .overlaid as KeyValueStore<unknown> as KeyValueStore<Value>
  }

  #produce(sink: SinkNode, record: StreamRecord): void {
    const { catalog, applicationId } = this.context
    const topic = topicName(applicationId, sink.topic)
    const partitions = catalog.partitions(topic)
    const { raw, key, value } = record
    const keyBytes = raw && raw.key === key ? raw.keyBytes : toBytes(key, sink.topic.key)
    const valueBytes =
      raw && raw.value === value ? raw.valueBytes : toBytes(value, sink.topic.value)
    const partition =
      sink.partition?.(record, partitions) ??
      (keyBytes ? partitionForKey(keyBytes, partitions) : this.partition % partitions)
    this.context.activeCycle().produce({
      topic,
      partition,
      key: keyBytes,
      value: valueBytes,
      headers: record.headers,
      timestampMs: record.timestampMs,
    })
  }
}

/** A buffer is taken as it is: the key of an effect's output is one already. */
function toBytes(value: unknown, serde: Serde<unknown>): Buffer | null {
  if (value === null || value === undefined) return null
  return Buffer.isBuffer(value) ? value : serde.serialize(value)
}

/** What the offsets of a commit remember of this task: its changelogs as they are with the commit's own records. */
export function changelogMarks(
  task: Task,
  ranges: readonly ProducedRange[],
): ReadonlyMap<string, ChangelogMark> {
  const marks = new Map<string, ChangelogMark>()
  for (const [name, store] of task.stores)
    marks.set(name, {
      topicId: store.changelogTopicId,
      end: positionAfter(store, task.partition, ranges),
    })
  return marks
}

/** The changelog position after a commit: right behind the last record; a marker follows, and a restore steps over it. */
export function positionAfter(
  store: TaskStore,
  partition: number,
  ranges: readonly ProducedRange[],
): number {
  let position = store.position
  for (const range of ranges)
    if (range.topic === store.changelogTopic && range.partition === partition)
      position = Math.max(position, range.lastOffset + 1)
  return position
}
