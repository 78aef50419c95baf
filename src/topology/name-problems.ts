import { storesOf } from './sub-topologies.ts'
import type { SubTopology, TopologyNode } from './topology.ts'

/** Room is left in Kafka's 249 characters for the application id and the suffix of an internal topic. */
const nameLengthMax = 100
const characters = /^[a-zA-Z0-9._-]+$/

/** What is wrong with the names of nodes, stores and sub-topologies: they become parts of topics, tasks and directories. */
export function nameProblems(
  nodes: readonly TopologyNode[],
  subTopologies: readonly SubTopology[],
): readonly string[] {
  return [
    ...nodes.flatMap(({ name }) => invalidName('node', name)),
    ...repeated(nodes.map(({ name }) => name)).map(
      name => `two nodes are named '${name}': rename one of them`,
    ),
    ...storeProblems(nodes),
    ...subTopologyProblems(subTopologies),
  ]
}

function storeProblems(nodes: readonly TopologyNode[]): readonly string[] {
  const stores = [...new Set(nodes.flatMap(storesOf))]
  const names = stores.map(({ name }) => name)
  return [
    ...[...new Set(names)].flatMap(name => invalidName('store', name)),
    ...repeated(names).map(
      name =>
        `two definitions of a store '${name}': share one constant, or rename one of them, because the name is the changelog's`,
    ),
  ]
}

function subTopologyProblems(subTopologies: readonly SubTopology[]): readonly string[] {
  const names = subTopologies.map(({ name }) => name)
  return [
    ...subTopologies.flatMap(({ sources }) => {
      const given = new Set(sources.flatMap(({ subTopology }) => subTopology ?? []))
      if (given.size < 2) return []
      const quoted = [...given].map(name => `'${name}'`).join(' and ')
      return `${quoted} are one sub-topology, because its nodes share records or stores: give it one name`
    }),
    ...subTopologies.flatMap(({ sources }) =>
      sources.flatMap(({ subTopology }) =>
        subTopology === undefined ? [] : invalidName('sub-topology', subTopology),
      ),
    ),
    ...repeated(names.filter(name => name !== '')).map(
      name =>
        `two sub-topologies are named '${name}': give one of them another with the option subTopology of a source`,
    ),
  ]
}

export function invalidName(kind: string, name: string): readonly string[] {
  if (characters.test(name) && name.length <= nameLengthMax && name !== '.' && name !== '..')
    return []
  return [
    `'${name}' is no name for a ${kind}: use 1 to ${nameLengthMax} letters, digits, '.', '_' and '-'`,
  ]
}

/** Each name that stands more than once, once. */
export function repeated(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
}
