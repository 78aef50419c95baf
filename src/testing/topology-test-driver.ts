import type { DeadLetterReason, EffectDefinition, EffectEnd } from '../effects/effect.ts'
import type { EffectInput } from '../effects/engine-options.ts'
import { StreamsError } from '../errors.ts'
import { deadLetter } from '../runtime/dead-letter.ts'
import {
  type ConsumedRecord,
  type Header,
  partitionKey,
  type ProducedRecord,
} from '../runtime/ports.ts'
import { topicName } from '../runtime/topic-catalog.ts'
import type { StoreDefinition } from '../state/store.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import type { EffectNode, Topic, Topology } from '../topology/topology.ts'
import { DriverTables } from './driver-tables.ts'
import type { DriverStore } from './driver-store.ts'
import { type DriverOutput, DriverTask } from './driver-task.ts'
import { ManualClock } from './manual-clock.ts'

export interface TopologyTestDriverOptions {
  /** @default 'test' */
  readonly applicationId?: string
  /** Of every topic. @default 1 */
  readonly partitions?: number
  /** Wall clock at the start, milliseconds since the epoch. @default 2026-01-01 */
  readonly startMs?: number
}

/** A record to be piped in. What is left out: no headers, the driver's time, the partition of the key. */
export interface TestRecord<Key = unknown, Value = unknown> {
  readonly key: Key | null
  readonly value: Value
  readonly timestampMs?: number
  readonly headers?: readonly Header[]
  readonly partition?: number
}

/** A record that came out; a tombstone's value is null. */
export interface TestOutput<Key = unknown, Value = unknown> {
  readonly key: Key | null
  readonly value: Value | null
  readonly timestampMs: number
  readonly headers: readonly Header[]
  readonly partition: number
}

/**
 * Runs a topology record by record, in one thread of one process, without a broker: what is piped in has run through
 * all sub-topologies when `pipe` returns. Nothing fails here and nothing is concurrent; that is what `Simulation` is for.
 * Effects take requests (`requests`), and the test says how they end (`end`).
 */
export class TopologyTestDriver {
  readonly #topology: Topology
  readonly #applicationId: string
  readonly #partitions: number
  readonly #clock: ManualClock
  readonly #tables: DriverTables
  readonly #tasks: readonly DriverTask[]
  /** Every record ever written, by topic. */
  readonly #logs = new Map<string, ConsumedRecord[]>()
  /** End offsets by partition. */
  readonly #ends = new Map<string, number>()
  /** Written and not yet read by the sub-topologies. */
  readonly #unread: ConsumedRecord[] = []
  readonly #taken = new Map<string, number>()

  constructor(topology: Topology, options: TopologyTestDriverOptions = {}) {
    const { applicationId = 'test', partitions = 1, startMs } = options
    this.#topology = topology
    this.#applicationId = applicationId
    this.#partitions = partitions
    this.#clock = new ManualClock(startMs)
    const tables = new DriverTables(topology.globalTables, partitions)
    this.#tables = tables
    this.#tasks = topology.subTopologies.flatMap(subTopology =>
      Array.from(
        { length: partitions },
        (_, partition) =>
          new DriverTask(applicationId, subTopology, partition, partitions, tables.find),
      ),
    )
  }

  /** Wall clock, milliseconds. */
  get nowMs(): number {
    return this.#clock.nowMs()
  }

  pipe<Key, Value>(topic: Topic<Key, Value>, ...records: readonly TestRecord<Key, Value>[]): void {
    for (const record of records) {
      const key = record.key === null ? null : topic.key.serialize(record.key)
      this.pipeBytes(topic, { ...record, key, value: topic.value.serialize(record.value) })
    }
  }

  /** For what a serde would never write: null, other people's bytes. */
  pipeBytes(topic: Topic, record: TestRecord<Buffer, Buffer | null>): void {
    const { key, value, headers = [], timestampMs = this.nowMs } = record
    const partition = record.partition ?? this.#partitionOf(key)
    this.#append({
      topic: topicName(this.#applicationId, topic),
      partition,
      key,
      value,
      headers,
      timestampMs,
    })
    this.#settle()
  }

  /** Moves the wall clock; punctuations by it run when they fall due. */
  advance(durationMs: number): void {
    const endMs = this.nowMs + durationMs
    for (;;) {
      const nextMs = Math.min(...this.#tasks.map(task => task.nextPunctuationMs))
      if (nextMs > endMs) break
      this.#clock.advance(Math.max(0, nextMs - this.nowMs))
      this.#settle()
    }
    this.#clock.advance(endMs - this.nowMs)
  }

  /** What came out since it was last asked, in the order of writing; what was piped in is there too. */
  output<Key, Value>(topic: Topic<Key, Value>): readonly TestOutput<Key, Value>[] {
    return this.#take(topicName(this.#applicationId, topic)).map(record => ({
      key: record.key === null ? null : topic.key.deserialize(record.key),
      value: record.value === null ? null : topic.value.deserialize(record.value),
      timestampMs: record.timestampMs,
      headers: record.headers,
      partition: record.partition,
    }))
  }

  /** What could not be decoded or processed since it was last asked: bytes untouched, with the reason in the headers. */
  deadLetters(): readonly ConsumedRecord[] {
    return this.#take(this.#topology.deadLetterTopic)
  }

  /** The part of a store that belongs to a partition: to look at, and to set up. Throws TOPOLOGY_INVALID. */
  store<Value>(definition: StoreDefinition<Value>, partition = 0): DriverStore<Value> {
    for (const task of this.#tasks) {
      const store = task.stores.get(definition.name)
      if (store !== undefined && task.partition === partition) return store as DriverStore<Value>
    }
    const text = `no task of partition ${partition} has a store '${definition.name}'`
    throw new StreamsError('TOPOLOGY_INVALID', text)
  }

  /** Sum of what processors counted under the name. */
  count(name: string): number {
    return this.#tasks.reduce((sum, task) => sum + (task.counts.get(name) ?? 0), 0)
  }

  /** Requests that an effect has taken and that have not ended, in order; the driver does not look for repeated ones. */
  requests(effectName: string): readonly EffectInput<unknown>[] {
    return this.#tasks.flatMap(task => task.requests.get(effectName) ?? [])
  }

  /** Ends a request, and lets what its outcome record says run through the topology. Left out parts: a try that went well. */
  end(
    effectName: string,
    input: EffectInput<unknown>,
    end: Partial<EffectEnd<unknown>> = {},
  ): void {
    for (const task of this.#tasks) {
      const open = task.requests.get(effectName) ?? []
      const node = task.subTopology.nodes.find(each => each.name === effectName)
      if (!open.includes(input) || node?.kind !== 'effect') continue
      task.requests.set(
        effectName,
        open.filter(each => each !== input),
      )
      const definition = node.definition as EffectDefinition
      const ended = this.#endOf(node, input, end)
      const output = definition.output(ended)
      if (output !== null) this.#write(task, task.emit(node, output))
      const reason = definition.deadLetter?.(ended) ?? null
      if (reason !== null)
        this.#toDeadLetters({ ...input, ...input.origin, value: input.payload }, reason)
      this.#settle()
      return
    }
    throw new StreamsError('INTERNAL', `the effect '${effectName}' has no such open request`)
  }

  #endOf(
    node: EffectNode,
    input: EffectInput<unknown>,
    end: Partial<EffectEnd<unknown>>,
  ): EffectEnd<unknown> {
    const plan = (node.definition as EffectDefinition).plan(input.request, input)
    const targets = plan.targets.map(target => {
      return { target, status: 'accepted' as const, reply: '250 accepted' }
    })
    return {
      kind: 'done',
      identity: plan.identity,
      request: input.request,
      key: input.key,
      headers: input.headers,
      targets,
      attempts: 1,
      messageId: `<${plan.identity.replaceAll('\0', '.')}@test>`,
      relay: 'relay.test:25',
      reply: '250 accepted',
      detail: '',
      atMs: this.nowMs,
      revised: false,
      ...end,
    }
  }

  #partitionOf(key: Buffer | null): number {
    return key === null ? 0 : partitionForKey(key, this.#partitions)
  }

  #append(record: ProducedRecord): void {
    const log = this.#logs.get(record.topic) ?? []
    this.#logs.set(record.topic, log)
    const offset = this.#ends.get(partitionKey(record)) ?? 0
    this.#ends.set(partitionKey(record), offset + 1)
    const appended = { ...record, offset }
    log.push(appended)
    this.#unread.push(appended)
    this.#tables.take(appended)
  }

  #take(topic: string): readonly ConsumedRecord[] {
    const log = this.#logs.get(topic) ?? []
    const from = this.#taken.get(topic) ?? 0
    this.#taken.set(topic, log.length)
    return log.slice(from)
  }

  /** Until no record is unread: what one sub-topology writes, another may read. */
  #settle(): void {
    for (;;) {
      for (const task of this.#tasks) this.#write(task, task.punctuate(this.nowMs))
      const record = this.#unread.shift()
      if (record === undefined) return
      for (const task of this.#tasks) {
        if (task.partition !== record.partition) continue
        for (const source of task.subTopology.sources) {
          if (topicName(this.#applicationId, source.topic) !== record.topic) continue
          const result = task.process(source, record)
          if (result instanceof StreamsError)
            this.#toDeadLetters(record, { code: result.code, message: result.message })
          else this.#write(task, result)
        }
      }
    }
  }

  #write(task: DriverTask, outputs: readonly DriverOutput[]): void {
    for (const { sink, record } of outputs) {
      const { raw, key, value, headers, timestampMs } = record
      const topic = topicName(this.#applicationId, sink.topic)
      const keyBytes =
        raw !== undefined && raw.key === key ? raw.keyBytes : bytesOf(key, sink.topic.key)
      const valueBytes =
        raw !== undefined && raw.value === value ? raw.valueBytes : bytesOf(value, sink.topic.value)
      const partition =
        sink.partition?.(record, this.#partitions) ??
        (keyBytes === null ? task.partition : this.#partitionOf(keyBytes))
      this.#append({ topic, partition, key: keyBytes, value: valueBytes, headers, timestampMs })
    }
  }

  #toDeadLetters(record: ConsumedRecord, reason: DeadLetterReason): void {
    const { deadLetterTopic } = this.#topology
    this.#append(deadLetter(deadLetterTopic, this.#partitions, record, reason, this.nowMs))
  }
}

function bytesOf(value: unknown, serde: Topic['key']): Buffer | null {
  if (value === null || value === undefined) return null
  return Buffer.isBuffer(value) ? value : serde.serialize(value)
}
