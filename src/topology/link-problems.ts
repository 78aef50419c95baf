import { parentsOf } from './sub-topologies.ts'
import type { TopologyNode } from './topology.ts'

/** What is wrong with the ways of records from node to node. */
export function linkProblems(nodes: readonly TopologyNode[]): readonly string[] {
  if (!nodes.some(({ kind }) => kind === 'source'))
    return ['nothing is read: a topology begins with source(name, topic)']
  return nodes.flatMap((node, index) => [
    ...parentProblems(node, nodes.slice(0, index)),
    ...childProblems(node, nodes),
    ...commandProblems(node, nodes),
    ...prefetchProblems(node, nodes),
  ])
}

/** Parents come first, so there is no circle but through topics, and every node hangs on a source. */
function parentProblems(node: TopologyNode, before: readonly TopologyNode[]): readonly string[] {
  if (node.kind === 'source') return []
  if (node.from.length === 0) return [`'${node.name}' has no parent: name one with from`]
  return parentsOf(node).flatMap(parent => {
    const found = before.find(({ name }) => name === parent)
    if (found?.kind === 'sink')
      return [`'${node.name}' comes from the sink '${parent}': read its topic with a source`]
    return found === undefined
      ? [
          `'${node.name}' comes from '${parent}', and no node before it has that name: declare it first`,
        ]
      : []
  })
}

function childProblems(node: TopologyNode, nodes: readonly TopologyNode[]): readonly string[] {
  const children = nodes.filter(each => parentsOf(each).includes(node.name))
  if (node.kind === 'source' && children.length === 0)
    return [
      `nobody takes the records of the source '${node.name}': remove it, or name it with from`,
    ]
  if (node.kind !== 'process') return []
  return (node.children ?? [])
    .filter(child => !children.some(({ name }) => name === child))
    .map(
      child =>
        `'${node.name}' branches to '${child}', which is not its child: add it with from: '${node.name}'`,
    )
}

function commandProblems(node: TopologyNode, nodes: readonly TopologyNode[]): readonly string[] {
  if (node.kind !== 'effect') return []
  const problems: string[] = []
  const source = nodes.find(({ name }) => name === node.commandsFrom)
  if (source !== undefined && (source.kind !== 'source' || source.topic.internal === undefined))
    problems.push(
      `'${node.name}' takes commands from '${node.commandsFrom}': name a source of an internal topic`,
    )
  const readers = nodes.filter(each => parentsOf(each).includes(node.commandsFrom))
  if (readers.length > 1 || node.from.includes(node.commandsFrom))
    problems.push(
      `'${node.commandsFrom}' brings the commands of '${node.name}': nobody else may read them`,
    )
  return problems
}

function prefetchProblems(node: TopologyNode, nodes: readonly TopologyNode[]): readonly string[] {
  if (node.kind !== 'process' || node.prefetch === undefined) return []
  const above = nodes.filter(({ name }) => node.from.includes(name))
  if (above.every(({ kind }) => kind === 'source')) return []
  return [
    `'${node.name}' prefetches, but stands below a node that makes its records: prefetch works right below a source`,
  ]
}
