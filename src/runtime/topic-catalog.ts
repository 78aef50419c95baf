import { StreamsError } from '../errors.ts'
import type { SubTopology, Topic, Topology } from '../topology/topology.ts'
import type { TopicDescription } from './ports.ts'
import { storeDefinitionsOf } from './positions.ts'

/** Full name of a topic on the cluster: internal ones belong to the application. */
export function topicName(applicationId: string, topic: Topic): string {
  return topic.internal ? `${applicationId}-${topic.name}` : topic.name
}

export function changelogName(applicationId: string, storeName: string): string {
  return `${applicationId}-${storeName}-changelog`
}

/** Topics as they were when the instance started. Partition counts are part of where state lies, so they never change while it runs. */
export class TopicCatalog {
  readonly #applicationId: string
  readonly #topics: ReadonlyMap<string, TopicDescription>

  constructor(applicationId: string, topics: ReadonlyMap<string, TopicDescription>) {
    this.#applicationId = applicationId
    this.#topics = topics
  }

  get names(): readonly string[] {
    return [...this.#topics.keys()]
  }

  describe(name: string): TopicDescription {
    const topic = this.#topics.get(name)
    if (topic === undefined)
      throw new StreamsError('TOPIC_MISSING', `the topic ${name} does not exist`)
    return topic
  }

  partitions(name: string): number {
    return this.describe(name).partitions
  }

  /** Tasks of a sub-topology: one a partition of its sources, which all have as many. */
  taskCount(subTopology: SubTopology): number {
    const [first] = sourceNames(this.#applicationId, subTopology)
    return first === undefined ? 0 : this.partitions(first)
  }
}

/** Stores of all tasks together: one instance may have all of them, as its own or as copies. */
export function storeCount(topology: Topology, catalog: TopicCatalog, isSmall: boolean): number {
  return topology.subTopologies.reduce(
    (sum, each) =>
      sum +
      storeDefinitionsOf(each).filter(store => (store.isSmall ?? false) === isSmall).length *
        catalog.taskCount(each),
    0,
  )
}

export function sourceNames(applicationId: string, subTopology: SubTopology): string[] {
  return subTopology.sources.map(each => topicName(applicationId, each.topic))
}

/** All topics that must exist before anything runs: neither ours to create nor created by the broker. */
export function externalTopics(topology: Topology): string[] {
  const names = topology.nodes.flatMap(node =>
    (node.kind === 'source' || node.kind === 'sink') && !node.topic.internal
      ? [node.topic.name]
      : [],
  )
  const tables = topology.globalTables.map(({ topic }) => topic.name)
  return [...new Set([...names, ...tables, topology.deadLetterTopic])]
}
