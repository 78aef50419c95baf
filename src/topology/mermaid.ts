import { topicOf } from './describe.ts'
import { parentsOf, storesOf } from './sub-topologies.ts'
import type { SubTopology, Topology, TopologyNode } from './topology.ts'

/** The topology as a Mermaid flowchart: a box for each sub-topology, topics between them, stores as cylinders. */
export function mermaidTopology(topology: Topology): string {
  const ids = new Ids()
  const tables = topology.globalTables
  const topics = [
    ...topology.nodes.flatMap(node => topicLine(node, ids)),
    ...tables.map(({ topic }) => topicBox(topic.name, ids)),
  ]
  const lines = [
    'flowchart LR',
    ...[...new Set(topics)].map(line => `  ${line}`),
    ...topology.subTopologies.flatMap(each => subTopologyLines(each, ids)),
    ...tables.map(({ name }) => `  ${ids.of('table', name)}[("${name}")]`),
    ...topology.nodes.flatMap(node => linkLines(node, ids)).map(line => `  ${line}`),
    ...tables.map(
      ({ name, topic }) => `  ${ids.of('topic', topic.name)} --> ${ids.of('table', name)}`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

/** Mermaid's names are words of their own; ours may hold dots and dashes, and a topic, a node and a store may share one. */
class Ids {
  readonly #ids = new Map<string, string>()

  of(kind: 'node' | 'store' | 'sub' | 'table' | 'topic', name: string): string {
    const key = `${kind} ${name}`
    const id = this.#ids.get(key) ?? `${kind}${this.#ids.size + 1}`
    this.#ids.set(key, id)
    return id
  }
}

function topicLine(node: TopologyNode, ids: Ids): readonly string[] {
  if (node.kind !== 'source' && node.kind !== 'sink') return []
  return [topicBox(topicOf(node), ids)]
}

function topicBox(name: string, ids: Ids): string {
  return `${ids.of('topic', name)}[["${escaped(name)}"]]`
}

function subTopologyLines(subTopology: SubTopology, ids: Ids): readonly string[] {
  return [
    `  subgraph ${ids.of('sub', subTopology.name)} ["${subTopology.name}"]`,
    ...subTopology.nodes.map(
      ({ kind, name }) => `    ${ids.of('node', name)}${shapeOf(kind, name)}`,
    ),
    ...subTopology.stores.map(({ name }) => `    ${ids.of('store', name)}[("${name}")]`),
    '  end',
  ]
}

function shapeOf(kind: TopologyNode['kind'], name: string): string {
  if (kind === 'effect') return `{{"${name}"}}`
  return kind === 'process' ? `["${name}"]` : `(["${name}"])`
}

function linkLines(node: TopologyNode, ids: Ids): readonly string[] {
  const id = ids.of('node', node.name)
  return [
    ...parentsOf(node).map(parent => `${ids.of('node', parent)} --> ${id}`),
    ...storesOf(node).map(({ name }) => `${id} -.- ${ids.of('store', name)}`),
    ...(node.kind === 'source' ? [`${ids.of('topic', topicOf(node))} --> ${id}`] : []),
    ...(node.kind === 'sink' ? [`${id} --> ${ids.of('topic', topicOf(node))}`] : []),
  ]
}

function escaped(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
