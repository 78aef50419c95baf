import type { StoreDefinition } from '../../../../src/state/store.ts'
import type {
  ProcessNode,
  ProcessorContext,
  Topology,
  TopologyNode,
} from '../../../../src/topology/topology.ts'
import type { PlantedBug } from './planted-bug.ts'

export const topologyBugs: readonly PlantedBug[] = [
  {
    bug: 'requests of two systems with one request id are the same',
    alteration: {
      topology: topology =>
        withNodes(topology, node =>
          node.kind === 'process' && node.name === 'dedup' ? keyedByRequestId(node) : node,
        ),
    },
  },
  {
    bug: 'an identity is forgotten before its window has passed',
    windowMs: 20_000,
    alteration: {
      topology: topology => ({
        ...topology,
        subTopologies: topology.subTopologies.map(each => ({
          name: each.name,
          sources: each.sources,
          nodes: each.nodes,
          stores: each.stores.map(store => (store.name === 'dedup' ? forgetful(store) : store)),
        })),
      }),
    },
  },
]

function keyedByRequestId(node: ProcessNode): ProcessNode {
  const short = (key: string): string => key.slice(key.indexOf('\0'))
  const inside = (context: ProcessorContext): ProcessorContext => ({
    ...context,
    origin: context.origin,
    streamTimeMs: context.streamTimeMs,
    forward: (record, child) => context.forward(record, child),
    store: definition => {
      const store = context.store(definition)
      return {
        get: key => store.get(short(key)),
        put: (key, value) => store.put(short(key), value),
        delete: key => store.delete(short(key)),
      }
    },
  })
  return {
    ...node,
    create: () => {
      const processor = node.create()
      return { process: (record, context) => processor.process(record, inside(context)) }
    },
  }
}

function forgetful(store: StoreDefinition): StoreDefinition {
  const { name, kind, value, changelogConfigs } = store
  const expiresAtMs = (key: string, entry: unknown): number | undefined => {
    const atMs = store.expiresAtMs?.(key, entry)
    return atMs === undefined ? undefined : atMs - 15_000
  }
  return { name, kind, value, changelogConfigs, expiresAtMs }
}

function withNodes(topology: Topology, change: (node: TopologyNode) => TopologyNode): Topology {
  return {
    ...topology,
    nodes: topology.nodes.map(change),
    subTopologies: topology.subTopologies.map(each => ({
      ...each,
      nodes: each.nodes.map(change),
    })),
  }
}
