import type { GlobalTable } from '../global-table.ts'
import type { StoreDefinition } from '../state/store.ts'
import { checkedTopology } from './checked-topology.ts'
import type {
  FittingParents,
  FreshName,
  NodeTypes,
  NoNodes,
  Parents,
  RecordOf,
  SourceName,
  WithNode,
} from './node-types.ts'
import { branching, filtering, mapping, merging } from './operators.ts'
import type {
  PrefetchKey,
  ProcessNode,
  Processor,
  SinkNode,
  SourceNode,
  StreamRecord,
  Topic,
  Topology,
  TopologyNode,
} from './topology.ts'

export interface SourceOptions {
  /** Records below a position that was processed already: again, not, or marked. See `SourceNode.reread`. @default 'process' */
  readonly reread?: SourceNode['reread']
  /**
   * Names the sub-topology that the source belongs to, in tasks and directories: like every name it must never change.
   * @default the name of its first source
   */
  readonly subTopology?: string
}

/**
 * Describes a topology, step by step; each call returns a new builder, and `build` ends in plain frozen data. The
 * builder's type knows every node by name: an unknown parent, a name that is taken and records that do not fit are
 * errors of the compiler, and of `build` where the compiler was not asked.
 *
 * A node names its parents with `from`, one or several, which must come before it: records go round in circles through
 * topics only. A processor that forwards several kinds of records names the child for each: `forward(record, 'child')`.
 */
export class TopologyBuilder<Nodes extends NodeTypes = NoNodes> {
  #nodes: readonly TopologyNode[] = []
  #globalTables: readonly GlobalTable[] = []
  #deadLetterTopic: string | undefined

  /** Reads a topic. A topic has one source in a topology. */
  source<const Name extends string, Key, Value>(
    name: FreshName<Nodes, Name>,
    topic: Topic<Key, Value>,
    options: SourceOptions = {},
  ): TopologyBuilder<WithNode<Nodes, Name, StreamRecord<Key, Value>, 'every', true>> {
    return this.#with({
      reread: 'process',
      ...options,
      kind: 'source',
      name: name as string,
      topic,
    })
  }

  /** Hands each record to a processor, a fresh one in each task. */
  process<
    const Name extends string,
    const From extends Parents,
    In extends StreamRecord,
    Out extends StreamRecord,
  >(
    name: FreshName<Nodes, Name>,
    node: {
      readonly from: FittingParents<Nodes, From, In>
      /** What the processor reads and writes. Nodes that name one store share their tasks. */
      readonly stores?: readonly StoreDefinition[]
      /** Keys that a record will need, read for many records at once. Only right below a source. */
      readonly prefetch?: (record: In) => readonly PrefetchKey[]
      readonly processor: () => Processor<In, Out>
    },
  ): TopologyBuilder<WithNode<Nodes, Name, Out, 'some'>> {
    const { from, stores = [], prefetch, processor } = node
    return this.#with({
      kind: 'process',
      name: name as string,
      operator: 'process',
      from: namesOf(from),
      stores,
      ...(prefetch === undefined
        ? {}
        : { prefetch: prefetch as NonNullable<ProcessNode['prefetch']> }),
      create: processor,
    })
  }

  /** Lets through what the predicate says yes to. */
  filter<const Name extends string, const From extends Parents>(
    name: FreshName<Nodes, Name>,
    node: {
      readonly from: FittingParents<Nodes, From, StreamRecord>
      readonly predicate: (record: RecordOf<Nodes, From>) => boolean
    },
  ): TopologyBuilder<WithNode<Nodes, Name, RecordOf<Nodes, From>, 'every'>> {
    return this.#operator(name, 'filter', node.from, () => filtering(node.predicate))
  }

  /** Makes one record of each. */
  map<const Name extends string, const From extends Parents, Out extends StreamRecord>(
    name: FreshName<Nodes, Name>,
    node: {
      readonly from: FittingParents<Nodes, From, StreamRecord>
      readonly map: (record: RecordOf<Nodes, From>) => Out
    },
  ): TopologyBuilder<WithNode<Nodes, Name, Out, 'every'>> {
    return this.#operator(name, 'map', node.from, () => mapping(node.map))
  }

  /** Sends each record to the first child whose predicate says yes; what none takes is dropped. */
  branch<const Name extends string, const From extends Parents>(
    name: FreshName<Nodes, Name>,
    node: {
      readonly from: FittingParents<Nodes, From, StreamRecord>
      /** By the names of the children. */
      readonly branches: Readonly<Record<string, (record: RecordOf<Nodes, From>) => boolean>>
    },
  ): TopologyBuilder<WithNode<Nodes, Name, RecordOf<Nodes, From>, 'some'>> {
    const branches = Object.entries(node.branches)
    return this.#operator(
      name,
      'branch',
      node.from,
      () => branching(branches),
      branches.map(([child]) => child),
    )
  }

  /** Gives several parents one name. */
  merge<const Name extends string, const From extends Parents>(
    name: FreshName<Nodes, Name>,
    node: { readonly from: FittingParents<Nodes, From, StreamRecord> },
  ): TopologyBuilder<WithNode<Nodes, Name, RecordOf<Nodes, From>, 'every'>> {
    return this.#operator(name, 'merge', node.from, merging)
  }

  /** Writes records to a topic, in the transaction of the cycle that read what they came from. */
  sink<const Name extends string, const From extends Parents, Key, Value>(
    name: FreshName<Nodes, Name>,
    node: {
      readonly from: FittingParents<Nodes, From, StreamRecord<Key, Value>>
      readonly topic: Topic<Key, Value>
      /** In [0, partitions). @default murmur2 of the key bytes, as Kafka does */
      readonly partition?: (record: StreamRecord<Key, Value>, partitions: number) => number
    },
  ): TopologyBuilder<WithNode<Nodes, Name, never, 'none'>> {
    const { from, topic, partition } = node
    return this.#with({
      kind: 'sink',
      name: name as string,
      from: namesOf(from),
      topic,
      ...(partition === undefined
        ? {}
        : { partition: partition as NonNullable<SinkNode['partition']> }),
    })
  }

  /**
   * Acts on the outside world, once for each record; its outcomes are records for the children that the definition names.
   * What they carry is the definition's business, so the compiler lets every sink follow.
   */
  effect<const Name extends string, const From extends Parents, const Commands extends string>(
    name: FreshName<Nodes, Name>,
    node: {
      readonly from: FittingParents<Nodes, From, StreamRecord>
      /** The source of an internal topic; see `EffectNode.commandsFrom`. */
      readonly commandsFrom: SourceName<Nodes, Commands>
      readonly store: StoreDefinition
      /** An `EffectDefinition`. */
      readonly definition: unknown
    },
  ): TopologyBuilder<WithNode<Nodes, Name, AnyRecord, 'some'>> {
    const { from, commandsFrom, store, definition } = node
    return this.#with({
      kind: 'effect',
      name: name as string,
      from: namesOf(from),
      commandsFrom: commandsFrom as string,
      store,
      definition,
    })
  }

  /** Has every instance read the table's topic whole; processors and effects find it by its definition. */
  globalTable<Value>(definition: GlobalTable<Value>): TopologyBuilder<Nodes> {
    return this.#copy({ globalTables: [...this.#globalTables, definition] })
  }

  /** Where records go that cannot be decoded or processed. Every topology names one. */
  deadLetters(topicName: string): TopologyBuilder<Nodes> {
    return this.#copy({ deadLetterTopic: topicName })
  }

  /** Throws TOPOLOGY_INVALID with everything that is wrong, and what to do about each. */
  build(): Topology {
    return checkedTopology(this.#nodes, this.#globalTables, this.#deadLetterTopic)
  }

  #operator<Next extends NodeTypes>(
    name: unknown,
    operator: ProcessNode['operator'],
    from: unknown,
    // Any operator's processor: what it takes was checked where its types were known.
    create: () => Processor<never, never>,
    children?: readonly string[],
  ): TopologyBuilder<Next> {
    return this.#with({
      kind: 'process',
      name: name as string,
      operator,
      from: namesOf(from),
      stores: [],
      ...(children === undefined ? {} : { children }),
      create,
    })
  }

  #with<Next extends NodeTypes>(node: TopologyNode): TopologyBuilder<Next> {
    return this.#copy({ nodes: [...this.#nodes, node] })
  }

  #copy<Next extends NodeTypes>(changes: {
    readonly nodes?: readonly TopologyNode[]
    readonly globalTables?: readonly GlobalTable[]
    readonly deadLetterTopic?: string
  }): TopologyBuilder<Next> {
    const builder = new TopologyBuilder<Next>()
    builder.#nodes = changes.nodes ?? this.#nodes
    builder.#globalTables = changes.globalTables ?? this.#globalTables
    builder.#deadLetterTopic = changes.deadLetterTopic ?? this.#deadLetterTopic
    return builder
  }
}

type AnyRecord = StreamRecord<any, any>

function namesOf(from: unknown): readonly string[] {
  return Array.isArray(from) ? [...(from as string[])] : [from as string]
}
