import type { Serde } from './serde.ts'

/** A topic whose keys are text. `Topic` of src/topology is one. */
export interface TableTopic<Value = unknown> {
  readonly name: string
  readonly key: Serde<string>
  readonly value: Serde<Value>
  readonly internal?: unknown
}

/**
 * A compacted topic that every instance reads whole, all partitions, into a table of its own (Kafka Streams' GlobalKTable):
 * committed records only, up to the end before the first task runs, and for ever after.
 */
export interface GlobalTable<Value = unknown> {
  readonly name: string
  // What is read of the topic is the table's own business; what is kept of it is `Value`.
  readonly topic: TableTopic<any>
  readonly keep: (value: any) => Value
  readonly bound?: TableBound<any> | undefined
}

/** For a table that strangers can fill. */
export interface TableBound<Value> {
  /** About as many stay in memory: of those that may be forgotten the oldest go first. What is forgotten is found no more. */
  readonly entriesMax: number
  readonly mayForget: (value: Value) => boolean
}

/** What of a value stays in memory; a million entries are held for as long as the instance lives. */
export interface GlobalTableOptions<Read, Value> {
  /** @default the whole value */
  readonly keep?: (value: Read) => Value
  /** @default all are kept */
  readonly bound?: TableBound<Value>
}

/** One constant a table: processors and effects ask for it by its definition. */
export function globalTable<Read, Value = Read>(
  name: string,
  topic: TableTopic<Read>,
  options: GlobalTableOptions<Read, Value> = {},
): GlobalTable<Value> {
  const keep = options.keep ?? ((value: Read) => value as unknown as Value)
  const { bound } = options
  return Object.freeze({ name, topic, keep, bound })
}

/** A table as it is just now: it follows its topic, so a record that is processed again may find it changed. */
export interface TableView<Value> {
  get(key: string): Value | undefined
  /** Entries. */
  readonly size: number
}

/** Finds a table of the topology. Throws TOPOLOGY_INVALID for one that it does not have. */
export type FindTable = <Value>(definition: GlobalTable<Value>) => TableView<Value>
