import type { EffectOutput } from '../effects/effect.ts'
import type { EffectInput } from '../effects/engine-options.ts'
import type { EffectCommand } from '../effects/outbox.ts'
import { errorCodeOf, StreamsError } from '../errors.ts'
import type { FindTable } from '../global-table.ts'
import type { ConsumedRecord } from '../runtime/ports.ts'
import { type GraphEnvironment, TaskGraph } from '../runtime/task-graph.ts'
import type { KeyValueStore, StoreDefinition } from '../state/store.ts'
import type {
  EffectNode,
  ProcessorContext,
  Punctuation,
  SinkNode,
  SourceNode,
  StreamRecord,
  SubTopology,
} from '../topology/topology.ts'
import { DriverStore } from './driver-store.ts'

/** What a unit of work of a task has produced. */
export interface DriverOutput {
  readonly sink: SinkNode
  readonly record: StreamRecord
}

interface Schedule {
  readonly punctuation: Punctuation
  readonly context: ProcessorContext
  nextMs: number
}

/** One task of the test driver: the runtime's own graph over stores in memory. */
export class DriverTask {
  readonly subTopology: SubTopology
  readonly partition: number
  readonly stores: ReadonlyMap<string, DriverStore<unknown>>
  /** Requests the effects have taken, and what they were told, by node. */
  readonly requests = new Map<string, EffectInput<unknown>[]>()
  readonly commands = new Map<string, EffectCommand[]>()
  readonly counts = new Map<string, number>()
  readonly graph: TaskGraph
  readonly #environment: GraphEnvironment
  readonly #schedules: Schedule[]
  #outputs: DriverOutput[] = []

  constructor(
    applicationId: string,
    subTopology: SubTopology,
    partition: number,
    partitions: number,
    table: FindTable,
  ) {
    this.subTopology = subTopology
    this.partition = partition
    this.stores = new Map(subTopology.stores.map(each => [each.name, new DriverStore(each)]))
    this.#environment = {
      applicationId,
      partition,
      partitions,
      origin: undefined,
      streamTimeMs: Number.NEGATIVE_INFINITY,
      store: definition => this.#store(definition),
      table,
      engine: node => this.#engine(node),
      produce: (sink, record) => this.#outputs.push({ sink, record }),
      count: (name, by) => this.counts.set(name, (this.counts.get(name) ?? 0) + by),
    }
    this.graph = new TaskGraph(subTopology, this.#environment)
    this.#schedules = this.graph.processors.flatMap(({ processor, context }) =>
      (processor.punctuations ?? []).map(punctuation => ({
        punctuation,
        context,
        nextMs: Number.NEGATIVE_INFINITY,
      })),
    )
  }

  /** Returns what it produced, or the reason for a dead letter; then nothing of it has happened. */
  process(source: SourceNode, from: ConsumedRecord): readonly DriverOutput[] | StreamsError {
    try {
      const record = decode(source, from)
      return this.#unit(() => {
        this.#environment.origin = from
        this.#environment.streamTimeMs = Math.max(
          this.#environment.streamTimeMs,
          record.timestampMs,
        )
        this.graph.source(source.name)(record)
      })
    } catch (error) {
      if (error instanceof StreamsError && errorCodeOf(error) === 'RECORD_UNDECODABLE') return error
      throw error
    }
  }

  /** Runs what is due. As in the runtime each punctuation is due at once, and then after each interval. */
  punctuate(wallClockMs: number): readonly DriverOutput[] {
    return this.#schedules.flatMap(schedule => {
      const { punctuation, context, nextMs } = schedule
      const nowMs = punctuation.by === 'wall-clock' ? wallClockMs : this.#environment.streamTimeMs
      if (nowMs === Number.NEGATIVE_INFINITY || nowMs < nextMs) return []
      schedule.nextMs = nowMs + punctuation.everyMs
      return this.#unit(() => punctuation.punctuate(nowMs, context))
    })
  }

  /** Wall clock of the next punctuation by it; Infinity when there is none. */
  get nextPunctuationMs(): number {
    const byWallClock = this.#schedules.filter(each => each.punctuation.by === 'wall-clock')
    return Math.min(Number.POSITIVE_INFINITY, ...byWallClock.map(each => each.nextMs))
  }

  /** What an effect has to say runs through its children. */
  emit(effect: EffectNode, output: EffectOutput): readonly DriverOutput[] {
    return this.#unit(() => this.graph.emitter(effect)(output))
  }

  #unit(work: () => void): readonly DriverOutput[] {
    this.#outputs = []
    for (const store of this.stores.values()) store.begin()
    try {
      work()
    } catch (error) {
      for (const store of this.stores.values()) store.undo()
      throw error
    } finally {
      this.#environment.origin = undefined
    }
    return this.#outputs
  }

  #store<Value>(definition: StoreDefinition<Value>): KeyValueStore<Value> {
    const store = this.stores.get(definition.name)
    if (store !== undefined) return store as KeyValueStore<unknown> as KeyValueStore<Value>
    const where = this.subTopology.name
    throw new StreamsError('TOPOLOGY_INVALID', `${where} has no store '${definition.name}'`)
  }

  /** Stands where the engine stands: it takes requests, and the test says how they end. */
  #engine(node: EffectNode): ReturnType<GraphEnvironment['engine']> {
    return {
      accept: input => append(this.requests, node.name, input),
      command: command => append(this.commands, node.name, command),
    }
  }
}

function append<T>(lists: Map<string, T[]>, name: string, item: T): void {
  lists.set(name, [...(lists.get(name) ?? []), item])
}

function decode({ name, topic }: SourceNode, from: ConsumedRecord): StreamRecord {
  if (from.value === null) throw new StreamsError('RECORD_UNDECODABLE', 'the value is null')
  if (!topic.value.isReady(from.value))
    throw new StreamsError('INTERNAL', `the serde of '${name}' waits: call its 'prepare' first`)
  const key = from.key === null ? null : topic.key.deserialize(from.key)
  const value = topic.value.deserialize(from.value)
  const { timestampMs, headers } = from
  const raw = { key, value, keyBytes: from.key, valueBytes: from.value }
  return { key, value, timestampMs, headers, raw }
}
