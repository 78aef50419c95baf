import { StreamsError } from '../errors.ts'
import type { GlobalTable } from '../global-table.ts'
import { globalTableProblems } from './global-table-problems.ts'
import { linkProblems } from './link-problems.ts'
import { nameProblems } from './name-problems.ts'
import { groupNodes } from './sub-topologies.ts'
import { topicProblems } from './topic-problems.ts'
import type { Topology, TopologyNode } from './topology.ts'

/** Freezes the nodes into a topology. Throws TOPOLOGY_INVALID with every problem at once. */
export function checkedTopology(
  declared: readonly TopologyNode[],
  tables: readonly GlobalTable[],
  deadLetterTopic: string | undefined,
): Topology {
  const nodes = Object.freeze(declared.map(frozenNode))
  const globalTables = Object.freeze([...tables])
  const subTopologies = Object.freeze(groupNodes(nodes))
  const problems = [
    ...nameProblems(nodes, subTopologies),
    ...linkProblems(nodes),
    ...topicProblems(nodes, deadLetterTopic),
    ...globalTableProblems(globalTables, nodes, deadLetterTopic),
  ]
  if (problems.length > 0 || deadLetterTopic === undefined) {
    const list = problems.map(problem => `- ${problem}`).join('\n')
    throw new StreamsError('TOPOLOGY_INVALID', `the topology cannot be built:\n${list}`)
  }
  return Object.freeze({ nodes, subTopologies, globalTables, deadLetterTopic })
}

/** The node and its own lists; what was passed in (topics, stores, functions) belongs to the caller. */
function frozenNode(node: TopologyNode): TopologyNode {
  if (node.kind === 'source') return Object.freeze({ ...node })
  const from = Object.freeze([...node.from])
  if (node.kind !== 'process') return Object.freeze({ ...node, from })
  return Object.freeze({ ...node, from, stores: Object.freeze([...node.stores]) })
}
