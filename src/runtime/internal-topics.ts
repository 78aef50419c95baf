import { StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { SubTopology, Topology } from '../topology/topology.ts'
import type { ClusterAdmin, TopicPartition, TopicSpecification } from './ports.ts'
import { positionsStore } from './positions.ts'
import {
  changelogName,
  externalTopics,
  sourceNames,
  TopicCatalog,
  topicName,
} from './topic-catalog.ts'

export interface InternalTopicsOptions {
  readonly admin: ClusterAdmin
  readonly applicationId: string
  readonly topology: Topology
  readonly log: Logger
  /** What the user calls to create the topics that are not ours. */
  readonly createTopicsHint: string
  /** Starts with empty stores although the group has committed offsets. */
  readonly acceptLostState: boolean
}

/** Checks the topics the topology needs, creates its internal ones, and says how they are. */
export async function prepareTopics(options: InternalTopicsOptions): Promise<TopicCatalog> {
  const { admin, applicationId, topology } = options
  const external = externalTopics(topology)
  const existing = await admin.describeTopics(external)
  const missing = external.filter(name => !existing.has(name))
  if (missing.length > 0)
    throw new StreamsError(
      'TOPIC_MISSING',
      `${missing.length === 1 ? 'the topic' : 'the topics'} ${missing.join(', ')} ${missing.length === 1 ? 'does' : 'do'} not exist: ${options.createTopicsHint}`,
    )
  const catalog = new TopicCatalog(applicationId, existing)
  const wanted = topology.subTopologies.flatMap(each =>
    internalTopicsOf(each, taskCountOf(each, catalog, options), options),
  )
  const known = await admin.describeTopics(wanted.map(each => each.name))
  const toCreate = wanted.filter(each => !known.has(each.name))
  if (!options.acceptLostState) await refuseLostChangelogs(toCreate, catalog, options)
  if (toCreate.length > 0) {
    options.log.info(
      { event: 'create-topics', topics: toCreate.map(each => each.name) },
      'creating internal topics',
    )
    await admin.createTopics(toCreate)
  }
  const all = await admin.describeTopics([...external, ...wanted.map(each => each.name)])
  for (const { name, partitions } of wanted) {
    const found = all.get(name)?.partitions
    if (found !== undefined && found !== partitions)
      throw new StreamsError(
        'TOPIC_MISMATCH',
        `${name} has ${found} partitions, its sources have ${partitions}: state lies by partition, so the count of a topic in use cannot change; restore the old count, or start under a new application id`,
      )
  }
  return new TopicCatalog(applicationId, all)
}

/** Sources that come from outside decide; they must agree, because a task reads the same partition of all of them. */
function taskCountOf(
  subTopology: SubTopology,
  catalog: TopicCatalog,
  { applicationId }: InternalTopicsOptions,
): number {
  const counts = subTopology.sources.flatMap(each =>
    each.topic.internal
      ? []
      : [
          [
            topicName(applicationId, each.topic),
            catalog.partitions(topicName(applicationId, each.topic)),
          ] as const,
        ],
  )
  const [first] = counts
  if (first === undefined)
    throw new StreamsError(
      'TOPOLOGY_INVALID',
      `the sub-topology '${subTopology.name}' reads internal topics only: one source must say how many partitions there are`,
    )
  const other = counts.find(([, count]) => count !== first[1])
  if (other)
    throw new StreamsError(
      'TOPIC_MISMATCH',
      `${first[0]} has ${first[1]} partitions and ${other[0]} has ${other[1]}: '${subTopology.name}' reads them together, so they must have the same number`,
    )
  return first[1]
}

function internalTopicsOf(
  subTopology: SubTopology,
  partitions: number,
  { applicationId }: InternalTopicsOptions,
): TopicSpecification[] {
  const sources = subTopology.sources.flatMap(({ topic }) =>
    topic.internal
      ? [{ name: topicName(applicationId, topic), partitions, configs: topic.internal.configs }]
      : [],
  )
  const positions = positionsStore(subTopology)
  const stores = [...subTopology.stores, ...(positions ? [positions] : [])].map(store => ({
    name: changelogName(applicationId, store.name),
    partitions,
    configs: store.changelogConfigs,
  }))
  return [...sources, ...stores]
}

/**
 * Offsets of the group tell that this is no first start. Then a changelog that is not there was lost, and an empty store
 * would take every request that comes again for a new one, and mail it again.
 */
async function refuseLostChangelogs(
  toCreate: readonly TopicSpecification[],
  catalog: TopicCatalog,
  options: InternalTopicsOptions,
): Promise<void> {
  const { admin, applicationId, topology } = options
  for (const subTopology of topology.subTopologies) {
    const changelogs = new Set(
      subTopology.stores.map(store => changelogName(applicationId, store.name)),
    )
    const lost = toCreate.filter(each => changelogs.has(each.name))
    if (lost.length === 0) continue
    const sources = sourceNames(applicationId, subTopology).filter(name =>
      catalog.names.includes(name),
    )
    const partitions = sources.flatMap(topic =>
      Array.from({ length: catalog.partitions(topic) }, (_, partition): TopicPartition => ({
        topic,
        partition,
      })),
    )
    const committed = await admin.committedOffsets(applicationId, partitions)
    if (committed.size > 0)
      throw new StreamsError(
        'CHANGELOG_LOST',
        `${lost.map(each => each.name).join(', ')} is gone, but the group ${applicationId} has processed records: starting with an empty store would repeat effects that have taken place; bring the topic back, or accept it with --accept-lost-state`,
      )
  }
}
