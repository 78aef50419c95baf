import { errorCodeOf, StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { SubTopology, Topology } from '../topology/topology.ts'
import type { ClusterAdmin, TopicSpecification } from './ports.ts'
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

const sizeName = 'max.message.bytes'
const roomFactor = 4

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
  const roomBytes = await roomOfInternalTopics(external, admin)
  const wanted = topology.subTopologies.flatMap(each =>
    internalTopicsOf(each, taskCountOf(each, catalog, options), roomBytes, options),
  )
  // Offsets first: an instance that starts beside this one commits only after the topics are there.
  const processed = await processedBefore(catalog, options)
  const known = await admin.describeTopics(wanted.map(each => each.name))
  const toCreate = wanted.filter(each => !known.has(each.name))
  if (!options.acceptLostState) refuseLostChangelogs(toCreate, processed, options)
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

/**
 * What an internal topic takes, bytes: the largest record that any other topic takes, with what a store or a re-routing adds to it
 * (an open request has its bytes, and each of its recipients once more with a reply).
 */
async function roomOfInternalTopics(
  external: readonly string[],
  admin: ClusterAdmin,
): Promise<number> {
  const configs = await admin.topicConfigs(external).catch(emptyWhenForbidden)
  const taken = external.map(name => Number(configs.get(name)?.get(sizeName) ?? 0))
  return Math.min(roomFactor * Math.max(...taken, 1024 * 1024), 2 ** 31 - 1)
}

/** Settings are good to know, not needed: whoever may not read them goes on with what a broker does by itself. */
export function emptyWhenForbidden(
  error: unknown,
): Awaited<ReturnType<ClusterAdmin['topicConfigs']>> {
  if (errorCodeOf(error) === 'AUTHORIZATION_FAILED') return new Map()
  throw error
}

/**
 * Sources that come from outside decide; they must agree, because a task reads the same partition of all of them. What reads internal topics
 * only is divided like the sub-topology that writes them.
 */
function taskCountOf(
  subTopology: SubTopology,
  catalog: TopicCatalog,
  options: InternalTopicsOptions,
  seen: readonly SubTopology[] = [],
): number {
  const [first, ...others] = subTopology.sources
    .filter(({ topic }) => topic.internal === undefined)
    .map(({ topic: { name } }) => ({ name, partitions: catalog.partitions(name) }))
  if (first === undefined) {
    const writer = writerFor(subTopology, [...seen, subTopology], options)
    return taskCountOf(writer, catalog, options, [...seen, subTopology])
  }
  const other = others.find(({ partitions }) => partitions !== first.partitions)
  if (other)
    throw new StreamsError(
      'TOPIC_MISMATCH',
      `${first.name} has ${first.partitions} partitions and ${other.name} has ${other.partitions}: '${subTopology.name}' reads them together, so they must have the same number`,
    )
  return first.partitions
}

function writerFor(
  { name, sources }: SubTopology,
  seen: readonly SubTopology[],
  { topology }: InternalTopicsOptions,
): SubTopology {
  const read = new Set(sources.map(({ topic }) => topic.name))
  const writer = topology.subTopologies.find(
    each =>
      !seen.includes(each) &&
      each.nodes.some(node => node.kind === 'sink' && read.has(node.topic.name)),
  )
  if (writer) return writer
  throw new StreamsError(
    'TOPOLOGY_INVALID',
    `the sub-topology '${name}' reads internal topics only: one source, or one of those that write them, must say how many partitions there are`,
  )
}

function internalTopicsOf(
  subTopology: SubTopology,
  partitions: number,
  roomBytes: number,
  { applicationId }: InternalTopicsOptions,
): TopicSpecification[] {
  const roomy = (configs: Readonly<Record<string, string>>) => ({
    [sizeName]: String(roomBytes),
    ...configs,
  })
  const sources = subTopology.sources.flatMap(({ topic }) =>
    topic.internal
      ? [
          {
            name: topicName(applicationId, topic),
            partitions,
            configs: roomy(topic.internal.configs),
          },
        ]
      : [],
  )
  const positions = positionsStore(subTopology)
  const stores = [...subTopology.stores, ...(positions ? [positions] : [])].map(store => ({
    name: changelogName(applicationId, store.name),
    partitions,
    configs: roomy(store.changelogConfigs),
  }))
  return [...sources, ...stores]
}

/** Names of the sub-topologies of which the group has committed offsets. */
async function processedBefore(
  catalog: TopicCatalog,
  { admin, applicationId, topology }: InternalTopicsOptions,
): Promise<ReadonlySet<string>> {
  const processed = new Set<string>()
  for (const subTopology of topology.subTopologies) {
    const partitions = sourceNames(applicationId, subTopology)
      .filter(name => catalog.names.includes(name))
      .flatMap(topic =>
        Array.from({ length: catalog.partitions(topic) }, (_, partition) => ({ topic, partition })),
      )
    const committed = await admin.committedOffsets(applicationId, partitions)
    if (committed.size > 0) processed.add(subTopology.name)
  }
  return processed
}

/**
 * Offsets of the group tell that this is no first start. Then a changelog that is not there was lost, and an empty store
 * would take every request that comes again for a new one, and mail it again.
 */
function refuseLostChangelogs(
  toCreate: readonly TopicSpecification[],
  processed: ReadonlySet<string>,
  { applicationId, topology }: InternalTopicsOptions,
): void {
  for (const subTopology of topology.subTopologies) {
    const changelogs = new Set(
      subTopology.stores.map(each => changelogName(applicationId, each.name)),
    )
    const lost = toCreate.filter(each => changelogs.has(each.name)).map(each => each.name)
    if (lost.length > 0 && processed.has(subTopology.name))
      throw new StreamsError(
        'CHANGELOG_LOST',
        `${lost.join(', ')} is gone, but the group ${applicationId} has processed records: starting with an empty store would repeat effects that have taken place; bring the topic back, or accept it with --accept-lost-state`,
      )
  }
}
