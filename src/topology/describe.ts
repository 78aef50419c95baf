import { parentsOf, storesOf } from './sub-topologies.ts'
import type { SubTopology, Topology, TopologyNode } from './topology.ts'

/** The topology as text, in the manner of Kafka Streams' `Topology#describe`: every node with its parents and children. */
export function describeTopology(topology: Topology): string {
  const parts = topology.subTopologies.map(subTopology => {
    const nodes = subTopology.nodes.map(node => describeNode(node, subTopology))
    return `  Sub-topology: ${subTopology.name}\n${nodes.join('')}`
  })
  const tables = topology.globalTables.map(
    ({ name, topic }) => `  Global table: ${name} (topic: ${topic.name})\n`,
  )
  return `Topology:\n${parts.join('\n')}\n${tables.join('')}  Dead letters: ${topology.deadLetterTopic}\n`
}

function describeNode(node: TopologyNode, subTopology: SubTopology): string {
  const children = subTopology.nodes
    .filter(each => parentsOf(each).includes(node.name))
    .map(({ name }) => name)
  const parents = parentsOf(node)
  const lines = [
    `    ${headOf(node)}`,
    ...(children.length > 0 ? [`      --> ${children.join(', ')}`] : []),
    ...(parents.length > 0 ? [`      <-- ${parents.join(', ')}`] : []),
  ]
  return lines.map(line => `${line}\n`).join('')
}

function headOf(node: TopologyNode): string {
  const stores = storesOf(node).map(({ name }) => name)
  const listed = stores.length > 0 ? ` (stores: ${stores.join(', ')})` : ''
  if (node.kind === 'source') return `Source: ${node.name} (topic: ${topicOf(node)})`
  if (node.kind === 'sink') return `Sink: ${node.name} (topic: ${topicOf(node)})`
  if (node.kind === 'effect') return `Effect: ${node.name}${listed}`
  return `${operatorNames[node.operator]}: ${node.name}${listed}`
}

const operatorNames = {
  process: 'Processor',
  filter: 'Filter',
  map: 'Map',
  branch: 'Branch',
  merge: 'Merge',
} as const

/** An internal topic by the name that the cluster will know it by. */
export function topicOf(node: TopologyNode & { kind: 'source' | 'sink' }): string {
  return node.topic.internal === undefined ? node.topic.name : `<application-id>-${node.topic.name}`
}
