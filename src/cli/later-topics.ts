import { topicNames } from '../email/topic-names.ts'
import type { Logger } from '../log.ts'
import type { ClusterAdmin } from '../runtime/ports.ts'
import { topicSpecifications } from './topic-specifications.ts'

/** Topics that every deployment has made since the first release. */
const firstTopics: ReadonlySet<string> = new Set([
  topicNames.requested,
  topicNames.dedup,
  topicNames.sent,
  topicNames.failed,
  topicNames.callback,
  topicNames.deadLetter,
])

const partitionsDefault = 6

/**
 * Makes the topics that came with later releases, where they are missing: an upgrade needs nobody to make them first, and nobody
 * who does without what they are for has to know of them. Throws what the cluster says.
 */
export async function createLaterTopics(
  admin: ClusterAdmin,
  dedupWindowMs: number,
  log: Logger,
): Promise<void> {
  const later = topicSpecifications({ dedupWindowMs, partitions: partitionsDefault }).filter(
    ({ name }) => !firstTopics.has(name),
  )
  const existing = await admin.describeTopics(later.map(({ name }) => name))
  const missing = later.filter(({ name }) => !existing.has(name))
  if (missing.length === 0) return
  const topics = missing.map(({ name }) => name)
  log.info({ event: 'create-topics', topics }, 'creating topics of this release')
  await admin.createTopics(missing)
}
