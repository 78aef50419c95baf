import type { CommittedOffset } from './ports.ts'

/** A changelog partition as a commit left it. */
export interface ChangelogMark {
  readonly topicId: string
  /** At least so long: the offset behind the last record that the commit knew of. */
  readonly end: number
}

/** What a committed offset says beside the position. Everything may be missing: tools that set offsets write nothing. */
export interface CommitMetadata {
  /** Of the source topic that the offset counts. */
  readonly sourceId: string | undefined
  /** By store. */
  readonly changelogs: ReadonlyMap<string, ChangelogMark>
}

/**
 * `incarnation:cycle =SOURCE-ID store=CHANGELOG-ID@END …`. The group's offsets are the one memory that lies neither in the changelogs nor on
 * a disk, and every commit writes it in the same transaction: so whoever comes next, with whatever disk, can tell that a
 * topic is another one under an old name, or shorter than it was.
 */
export function encodeCommitMetadata(
  commit: string,
  sourceId: string,
  changelogs: ReadonlyMap<string, ChangelogMark>,
): string {
  const marks = [...changelogs].map(([store, { topicId, end }]) => `${store}=${topicId}@${end}`)
  return [commit, `=${sourceId}`, ...marks].join(' ')
}

export function decodeCommitMetadata(committed: CommittedOffset | undefined): CommitMetadata {
  const changelogs = new Map<string, ChangelogMark>()
  let sourceId: string | undefined
  for (const part of (committed?.metadata ?? '').split(' ').slice(1)) {
    const { store, topicId, end } =
      /^(?<store>[^=]*)=(?<topicId>[^@]+)(?:@(?<end>\d+))?$/.exec(part)?.groups ?? {}
    if (topicId === undefined) continue
    if (store === '') sourceId = topicId
    else if (store !== undefined && end !== undefined)
      changelogs.set(store, { topicId, end: Number(end) })
  }
  return { sourceId, changelogs }
}
