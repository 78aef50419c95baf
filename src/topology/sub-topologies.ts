import type { StoreDefinition } from '../state/store.ts'
import type { SourceNode, SubTopology, TopologyNode } from './topology.ts'

/** The stores that a node itself reads or writes. */
export function storesOf(node: TopologyNode): readonly StoreDefinition[] {
  if (node.kind === 'process') return node.stores
  return node.kind === 'effect' ? [node.store] : []
}

/** The nodes whose records reach this one without a topic; an effect's commands included. */
export function parentsOf(node: TopologyNode): readonly string[] {
  if (node.kind === 'source') return []
  return node.kind === 'effect' ? [...node.from, node.commandsFrom] : node.from
}

/**
 * Groups nodes that must share tasks, because a record passes between them without a topic or because they share a store.
 * In the order of their first nodes; nodes, sources and stores in the order in which they were declared.
 */
export function groupNodes(nodes: readonly TopologyNode[]): readonly SubTopology[] {
  const groups = new Map<string, Set<TopologyNode>>()
  // A name of a node or a store (with a mark that no name has) → the group it belongs to.
  const join = (key: string, group: Set<TopologyNode>): Set<TopologyNode> => {
    const other = groups.get(key) ?? group
    if (other === group) {
      groups.set(key, group)
      return group
    }
    for (const node of group) other.add(node)
    for (const [each, its] of groups) if (its === group) groups.set(each, other)
    return other
  }
  for (const node of nodes) {
    let group = new Set([node])
    group = join(node.name, group)
    for (const parent of parentsOf(node)) group = join(parent, group)
    for (const store of storesOf(node)) group = join(`store ${store.name}`, group)
  }
  const distinct = new Set(nodes.flatMap(node => groups.get(node.name) ?? []))
  return Array.from(distinct, group => subTopology(nodes.filter(node => group.has(node))))
}

function subTopology(nodes: readonly TopologyNode[]): SubTopology {
  const sources = nodes.filter(node => node.kind === 'source')
  return Object.freeze({
    name: nameOf(sources),
    nodes: Object.freeze([...nodes]),
    sources: Object.freeze(sources),
    stores: Object.freeze([...new Set(nodes.flatMap(storesOf))]),
  })
}

function nameOf(sources: readonly SourceNode[]): string {
  const named = sources.find(source => source.subTopology !== undefined)
  return named?.subTopology ?? sources[0]?.name ?? ''
}
