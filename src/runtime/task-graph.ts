import type { EffectOutput } from '../effects/effect.ts'
import type { EffectEngine } from '../effects/engine.ts'
import type { EffectCommand } from '../effects/outbox.ts'
import { StreamsError } from '../errors.ts'
import type { FindTable } from '../global-table.ts'
import type { KeyValueStore, StoreDefinition } from '../state/store.ts'
import type {
  EffectNode,
  Processor,
  ProcessNode,
  ProcessorContext,
  RecordOrigin,
  SinkNode,
  StreamRecord,
  SubTopology,
  TopologyNode,
} from '../topology/topology.ts'

/** What the graph needs of its task. `origin` and `streamTimeMs` change with each record. */
export interface GraphEnvironment {
  readonly applicationId: string
  readonly partition: number
  readonly partitions: number
  origin: RecordOrigin | undefined
  streamTimeMs: number
  store<Value>(definition: StoreDefinition<Value>): KeyValueStore<Value>
  readonly table: FindTable
  engine(node: EffectNode): Pick<EffectEngine<unknown>, 'accept' | 'command'>
  produce(sink: SinkNode, record: StreamRecord): void
  count(name: string, by: number): void
}

type Handler = (record: StreamRecord) => void

export interface GraphProcessor {
  readonly processor: Processor
  readonly context: ProcessorContext
}

/** The nodes of one task, wired: a record given to a source's handler has run through everything when the call returns. */
export class TaskGraph {
  readonly #subTopology: SubTopology
  readonly #environment: GraphEnvironment
  readonly #sources = new Map<string, Handler>()
  readonly #emitters = new Map<string, (output: EffectOutput) => void>()
  /** For punctuations. */
  readonly processors: GraphProcessor[] = []

  constructor(subTopology: SubTopology, environment: GraphEnvironment) {
    this.#subTopology = subTopology
    this.#environment = environment
    const built = new Map<TopologyNode, (parent: string) => Handler>()
    for (const source of subTopology.sources)
      this.#sources.set(source.name, this.#forwarder(source, built).all)
  }

  source(name: string): Handler {
    return this.#sources.get(name)!
  }

  /** Forwards what an effect has to say to its children. */
  emitter(effect: EffectNode): (output: EffectOutput) => void {
    return this.#emitters.get(effect.name)!
  }

  #forwarder(
    node: TopologyNode,
    built: Map<TopologyNode, (parent: string) => Handler>,
  ): { readonly all: Handler; readonly to: (name: string) => Handler } {
    const children = this.#subTopology.nodes.filter(each => parentsOf(each).includes(node.name))
    const handlers = new Map(
      children.map(child => [child.name, this.#handler(child, built)(node.name)]),
    )
    const list = [...handlers.values()]
    const [only] = list
    const all: Handler =
      list.length === 1 && only ? only : record => list.forEach(handle => handle(record))
    // Who is asked for again and again is looked up once.
    let last: { readonly name: string; readonly handler: Handler } | undefined
    return {
      all,
      to: name => {
        if (last?.name === name) return last.handler
        const handler = handlers.get(name)
        if (handler) {
          last = { name, handler }
          return handler
        }
        throw new StreamsError(
          'TOPOLOGY_INVALID',
          `'${node.name}' has no child named '${name}'; it has ${[...handlers.keys()].join(', ') || 'none'}`,
        )
      },
    }
  }

  #handler(
    node: TopologyNode,
    built: Map<TopologyNode, (parent: string) => Handler>,
  ): (parent: string) => Handler {
    const known = built.get(node)
    if (known) return known
    const make = this.#build(node, built)
    built.set(node, make)
    return make
  }

  #build(
    node: TopologyNode,
    built: Map<TopologyNode, (parent: string) => Handler>,
  ): (parent: string) => Handler {
    switch (node.kind) {
      case 'source':
        throw new StreamsError(
          'TOPOLOGY_INVALID',
          `the source '${node.name}' cannot follow another node`,
        )
      case 'sink': {
        const handler: Handler = record => this.#environment.produce(node, record)
        return () => handler
      }
      case 'process': {
        const handler = this.#process(node, built)
        return () => handler
      }
      case 'effect': {
        const { accept, command } = this.#effect(node, built)
        return parent => (parent === node.commandsFrom ? command : accept)
      }
    }
  }

  #process(node: ProcessNode, built: Map<TopologyNode, (parent: string) => Handler>): Handler {
    const { all, to } = this.#forwarder(node, built)
    const environment = this.#environment
    const declared = new Set(node.stores.map(each => each.name))
    let known: StoreDefinition<never> | undefined
    const context: ProcessorContext = {
      forward: (record, child) => (child === undefined ? all : to(child))(record),
      store: definition => {
        if (definition === known) return environment.store(definition)
        if (declared.has(definition.name)) {
          known = definition as StoreDefinition<never>
          return environment.store(definition)
        }
        throw new StreamsError(
          'TOPOLOGY_INVALID',
          `'${node.name}' uses the store '${definition.name}' without declaring it in 'stores'`,
        )
      },
      table: environment.table,
      get origin() {
        return environment.origin
      },
      partition: environment.partition,
      partitions: environment.partitions,
      applicationId: environment.applicationId,
      get streamTimeMs() {
        return environment.streamTimeMs
      },
      count: (name, by = 1) => environment.count(name, by),
    }
    const processor = node.create()
    this.processors.push({ processor, context })
    return record => processor.process(record, context)
  }

  #effect(
    node: EffectNode,
    built: Map<TopologyNode, (parent: string) => Handler>,
  ): { readonly accept: Handler; readonly command: Handler } {
    const { to } = this.#forwarder(node, built)
    const environment = this.#environment
    const emit = ({ to: child, key, value, headers, timestampMs }: EffectOutput): void =>
      to(child)({ key, value, headers, timestampMs })
    this.#emitters.set(node.name, emit)
    return {
      accept: record => {
        const { raw } = record
        const { origin } = environment
        if (raw === undefined || origin === undefined)
          throw new StreamsError(
            'TOPOLOGY_INVALID',
            `the effect '${node.name}' must stand right below its source: it keeps the bytes it was given`,
          )
        environment.engine(node).accept(
          {
            request: record.value,
            timestampMs: record.timestampMs,
            key: raw.keyBytes ?? Buffer.alloc(0),
            headers: record.headers,
            origin,
            payload: raw.valueBytes,
          },
          emit,
        )
      },
      command: record => environment.engine(node).command(record.value as EffectCommand, emit),
    }
  }
}

export function parentsOf(node: TopologyNode): readonly string[] {
  if (node.kind === 'source') return []
  return node.kind === 'effect' ? [...node.from, node.commandsFrom] : node.from
}
