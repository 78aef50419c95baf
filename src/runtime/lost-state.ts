import { StreamsError } from '../errors.ts'
import type { ChangelogPosition } from '../state/store.ts'
import { type ChangelogMark, decodeCommitMetadata } from './commit-metadata.ts'
import { type CommittedOffset, partitionKey, type TopicPartition } from './ports.ts'

/** What is known of one store of a task before it is restored. */
export interface StoreEvidence {
  readonly store: string
  readonly changelog: TopicPartition
  readonly topicId: string
  /** End of the changelog now. */
  readonly end: number
  /** Up to where this disk has it; undefined when it has nothing. */
  readonly onDisk: ChangelogPosition | undefined
}

/** What is known of one source of a task. */
export interface SourceEvidence {
  readonly source: TopicPartition
  readonly topicId: string
  /** End of the source now. */
  readonly end: number
  readonly committed: CommittedOffset | undefined
}

/**
 * Why this store's changelog is not what it was; undefined when nothing says so. Two witnesses: what the group's commits
 * remember (on any machine, with an empty disk too), and what this disk has read.
 *
 * - None of the commits speaks of this topic id, but of another one: it was deleted and made again.
 * - The commits, or this disk, have seen more of this very topic than there is: it was cut, or comes from a backup. Compaction and
 *   retention never lower the end.
 * - This disk belongs to another topic, and no commit tells that the group has gone on with the present one since.
 *
 * Silent: a first start (no commits, no disk), an empty disk elsewhere, a changelog that is empty because nothing was ever
 * written (the commits say that its end is 0), offsets that a tool has set (they say nothing, the disk still does).
 */
export function lostChangelog(
  { store, changelog, topicId, end, onDisk }: StoreEvidence,
  sources: readonly SourceEvidence[],
): string | undefined {
  const name = partitionKey(changelog)
  const marks = sources.flatMap(each => markOf(each, store))
  const own = marks.filter(each => each.topicId === topicId)
  if (marks.length > 0 && own.length === 0) return `${name} was deleted and made again`
  const seen = Math.max(0, ...own.map(each => each.end))
  if (seen > end) return `${name} ends at ${end}, but the group has written up to ${seen}`
  if (onDisk === undefined) return undefined
  if (onDisk.topicId !== topicId)
    return own.length > 0
      ? undefined
      : `${name} is not the topic that the store on this disk was written with`
  if (onDisk.offset > end)
    return `${name} ends at ${end}, but the store on this disk has read up to ${onDisk.offset}`
  return undefined
}

function markOf({ committed }: SourceEvidence, store: string): ChangelogMark[] {
  const mark = decodeCommitMetadata(committed).changelogs.get(store)
  return mark ? [mark] : []
}

/** Why the group's position does not belong to this source. */
export function lostSource(evidence: SourceEvidence): string | undefined {
  const { source, topicId, end, committed } = evidence
  if (committed === undefined) return undefined
  const { sourceId } = decodeCommitMetadata(committed)
  const name = partitionKey(source)
  if (sourceId !== undefined && sourceId !== topicId) return `${name} was deleted and made again`
  if (committed.offset > end)
    return `${name} ends at ${end}, but the group has read up to ${committed.offset}`
  return undefined
}

/** Where reading goes on after such a loss was accepted: another topic from its start, a shortened one from its end. */
export function offsetAfterLoss(evidence: SourceEvidence, start: number): number {
  const { sourceId } = decodeCommitMetadata(evidence.committed)
  return sourceId !== undefined && sourceId !== evidence.topicId ? start : evidence.end
}

export function stateLostError(reasons: readonly string[]): StreamsError {
  return new StreamsError(
    'CHANGELOG_LOST',
    `${reasons.join('; ')}: was the cluster restored from a backup, or a topic made again? What has been done since is forgotten, and would be done again. Bring the topics back, or accept it with --accept-lost-state`,
  )
}
