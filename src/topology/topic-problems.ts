import { storesOf } from './sub-topologies.ts'
import type { SinkNode, SourceNode, Topic, TopologyNode } from './topology.ts'

const topicName = /^[a-zA-Z0-9._-]{1,249}$/

/** What is wrong with the topics, as far as it can be known without asking a broker. */
export function topicProblems(
  nodes: readonly TopologyNode[],
  deadLetterTopic: string | undefined,
): readonly string[] {
  const sources = nodes.filter(node => node.kind === 'source')
  const sinks = nodes.filter(node => node.kind === 'sink')
  const topics = [...new Set([...sources, ...sinks].map(({ topic }) => topic))]
  return [
    ...topics.flatMap(({ name }) => invalidTopic(name)),
    ...definitionProblems(topics),
    ...sourceProblems(sources),
    ...internalProblems(topics, sources, sinks, nodes),
    ...changelogProblems(topics, nodes),
    ...deadLetterProblems(deadLetterTopic, sources),
  ]
}

export function invalidTopic(name: string): readonly string[] {
  if (topicName.test(name) && name !== '.' && name !== '..') return []
  return [`'${name}' is no topic name: use 1 to 249 letters, digits, '.', '_' and '-'`]
}

function definitionProblems(topics: readonly Topic[]): readonly string[] {
  const names = new Set(topics.map(({ name }) => name))
  return [...names]
    .filter(each => topics.filter(({ name }) => name === each).length > 1)
    .map(name => `two definitions of the topic '${name}': share one constant`)
}

/** Two sources of a topic would commit two positions of each of its partitions in one group. */
function sourceProblems(sources: readonly SourceNode[]): readonly string[] {
  const names = new Set(sources.map(({ topic }) => topic.name))
  return [...names].flatMap(each => {
    const readers = sources
      .filter(({ topic }) => topic.name === each)
      .map(({ name }) => `'${name}'`)
    return readers.length > 1
      ? `${readers.join(' and ')} read the topic '${each}': make one source, and name it twice with from`
      : []
  })
}

/** Nobody but the topology knows of an internal topic. An effect writes its own commands. */
function internalProblems(
  topics: readonly Topic[],
  sources: readonly SourceNode[],
  sinks: readonly SinkNode[],
  nodes: readonly TopologyNode[],
): readonly string[] {
  const commands = new Set(nodes.flatMap(node => (node.kind === 'effect' ? node.commandsFrom : [])))
  return topics
    .filter(({ internal }) => internal !== undefined)
    .flatMap(({ name }) => {
      const source = sources.find(({ topic }) => topic.name === name)
      if (source === undefined) return `nobody reads the internal topic '${name}': add a source`
      const written = sinks.some(({ topic }) => topic.name === name) || commands.has(source.name)
      return written ? [] : `nobody writes the internal topic '${name}': add a sink`
    })
}

/** Both are made by us, as `<application-id>-<name>`. */
function changelogProblems(
  topics: readonly Topic[],
  nodes: readonly TopologyNode[],
): readonly string[] {
  const changelogs = new Set(nodes.flatMap(storesOf).map(({ name }) => `${name}-changelog`))
  return topics
    .filter(({ name, internal }) => internal !== undefined && changelogs.has(name))
    .map(
      ({ name }) => `the internal topic '${name}' has the name of a store's changelog: rename it`,
    )
}

function deadLetterProblems(
  name: string | undefined,
  sources: readonly SourceNode[],
): readonly string[] {
  if (name === undefined)
    return ['it has no place for what cannot be processed: add deadLetters(topicName)']
  if (sources.some(({ topic }) => topic.name === name))
    return [`'${name}' is read and takes the dead letters: one bad record would go round for ever`]
  return invalidTopic(name)
}
