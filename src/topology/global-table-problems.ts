import type { GlobalTable } from '../global-table.ts'
import { invalidName, repeated } from './name-problems.ts'
import { invalidTopic } from './topic-problems.ts'
import type { TopologyNode } from './topology.ts'

/** What is wrong with the tables that every instance reads whole. */
export function globalTableProblems(
  tables: readonly GlobalTable[],
  nodes: readonly TopologyNode[],
  deadLetterTopic: string | undefined,
): readonly string[] {
  const topics = new Set(tables.map(({ topic }) => topic.name))
  return [
    ...tables.flatMap(({ name }) => invalidName('global table', name)),
    ...repeated(tables.map(({ name }) => name)).map(
      name => `two global tables are named '${name}': rename one of them`,
    ),
    ...[...topics].flatMap(invalidTopic),
    ...tables.flatMap(table => topicProblemsOf(table, nodes, deadLetterTopic)),
  ]
}

function topicProblemsOf(
  { name, topic }: GlobalTable,
  nodes: readonly TopologyNode[],
  deadLetterTopic: string | undefined,
): readonly string[] {
  const problems: string[] = []
  if (topic.internal !== undefined)
    problems.push(`the global table '${name}' reads an internal topic: give it one of its own name`)
  if (nodes.some(node => node.kind === 'source' && node.topic.name === topic.name))
    problems.push(
      `the global table '${name}' and a source read the topic '${topic.name}': a table is read whole by everybody, a source is shared out`,
    )
  if (topic.name === deadLetterTopic)
    problems.push(`the global table '${name}' reads the dead letters: they have no keys to go by`)
  return problems
}
