import type { FindTable, GlobalTable } from '../global-table.ts'
import type { Serde } from '../serde.ts'
import type { KeyValueStore, StoreDefinition } from '../state/store.ts'

/** A topic with the types of its records. */
export interface Topic<Key = unknown, Value = unknown> {
  readonly name: string
  readonly key: Serde<Key>
  readonly value: Serde<Value>
  /** Ours to create (a repartition or command topic): its full name is `<application-id>-<name>`; with these settings. */
  readonly internal?: { readonly configs: Readonly<Record<string, string>> }
}

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** Where a record stood. */
export interface RecordOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** It was processed before: see `SourceNode.reread`. */
  readonly isReread?: boolean
}

/** A record on its way through the topology. Immutable: a processor forwards a new one. */
export interface StreamRecord<Key = unknown, Value = unknown> {
  readonly key: Key
  readonly value: Value
  /** Record time, milliseconds. */
  readonly timestampMs: number
  readonly headers: readonly RecordHeader[]
  /**
   * Value and key bytes as they were read: a sink writes them again when value and key are the same objects, so that an
   * unchanged value keeps its producer's schema id. Compared by identity only, so `{ ...record, value }` is a record.
   */
  readonly raw?: {
    readonly key: unknown
    readonly value: unknown
    readonly keyBytes: Buffer | null
    readonly valueBytes: Buffer
  }
}

/** What a processor may do while it handles one record or one punctuation. */
export interface ProcessorContext<Out extends StreamRecord = StreamRecord> {
  /** To all children, or to the named one. */
  forward(record: Out, to?: string): void
  store<Value>(definition: StoreDefinition<Value>): KeyValueStore<Value>
  /** A global table of the topology: the same in every task, read only. Nothing of it belongs to the record's transaction. */
  readonly table: FindTable
  /** Where the record that is being processed stood; undefined in a punctuation. */
  readonly origin: RecordOrigin | undefined
  /** The task's partition, and how many partitions its sub-topology has. */
  readonly partition: number
  readonly partitions: number
  readonly applicationId: string
  /** Highest record time the task has seen; -Infinity before the first. */
  readonly streamTimeMs: number
  /** Adds to a counter that `/metrics` shows as `mailonce_<name>_total`. Counted when the cycle commits. */
  count(name: string, by?: number): void
}

/** Synchronous and a function of the record and the stores: it may be run again after a failed commit or a key that had to be loaded. */
export interface Processor<
  In extends StreamRecord = StreamRecord,
  Out extends StreamRecord = StreamRecord,
> {
  /** Throws RECORD_UNDECODABLE to send the record to the dead letters. */
  process(record: In, context: ProcessorContext<Out>): void
  readonly punctuations?: readonly Punctuation<Out>[]
}

export interface Punctuation<Out extends StreamRecord = StreamRecord> {
  readonly everyMs: number
  readonly by: 'wall-clock' | 'stream-time'
  punctuate(timeMs: number, context: ProcessorContext<Out>): void
}

/** A key that a record will need: read in one batch for many records before they are processed. */
export interface PrefetchKey {
  readonly store: StoreDefinition
  readonly key: string
}

export interface SourceNode {
  readonly kind: 'source'
  readonly name: string
  readonly topic: Topic
  /**
   * What to do with records below a position that the task has already processed, which happens only when somebody set the
   * group's offsets back: process them again, skip them, or process them with `isReread` in their origin. For the last two the
   * position is kept in the task's stores, so it is exact.
   */
  readonly reread: 'process' | 'skip' | 'mark'
  /** Names the sub-topology, instead of its first source. */
  readonly subTopology?: string
}

export interface ProcessNode {
  readonly kind: 'process'
  readonly name: string
  /** What it was made from, for `describe`. */
  readonly operator: 'process' | 'filter' | 'map' | 'branch' | 'merge'
  readonly from: readonly string[]
  readonly stores: readonly StoreDefinition[]
  /** A hint for nodes right below a source. The list is read before the next record is asked about: one may serve them all. */
  readonly prefetch?: (record: StreamRecord) => readonly PrefetchKey[]
  /** Of a branch: the children it chooses from. */
  readonly children?: readonly string[]
  /** A fresh processor for each task. */
  readonly create: () => Processor
}

export interface SinkNode {
  readonly kind: 'sink'
  readonly name: string
  readonly from: readonly string[]
  readonly topic: Topic
  /** Default: murmur2 of the key bytes, as Kafka does; without a key the task's own partition. */
  readonly partition?: (record: StreamRecord, partitions: number) => number
}

/** An operator with an effect on the outside world. `definition` belongs to `src/effects` and is opaque here. */
export interface EffectNode {
  readonly kind: 'effect'
  readonly name: string
  readonly from: readonly string[]
  /** The source (of an internal topic) by which evidence and people's decisions reach the task that owns a request. */
  readonly commandsFrom: string
  readonly store: StoreDefinition
  readonly definition: unknown
}

export type TopologyNode = SourceNode | ProcessNode | SinkNode | EffectNode

/** Nodes that share tasks, because records pass between them without a topic or because they share a store. */
export interface SubTopology {
  /** Part of directory and task names, so explicit like every name: the name of its first source, or what a source says. */
  readonly name: string
  readonly nodes: readonly TopologyNode[]
  readonly sources: readonly SourceNode[]
  readonly stores: readonly StoreDefinition[]
}

/** Plain frozen data: what the builder ends in, what the runtime runs, what `describe` draws. */
export interface Topology {
  readonly nodes: readonly TopologyNode[]
  readonly subTopologies: readonly SubTopology[]
  /** Tables that every instance reads whole, whatever tasks it has. */
  readonly globalTables: readonly GlobalTable[]
  /** Where records go that cannot be decoded or processed; the bytes untouched. */
  readonly deadLetterTopic: string
}
