import type { TaskGroup } from './task-group.ts'
import { decodeMemberState, type InstanceClaim } from './instances.ts'
import type { GroupMemberInfo, TopicPartition } from './ports.ts'

export interface AssignmentOptions {
  /** Copies of each task's state on other members, 0 or more. */
  readonly standbys: number
  /** A member whose copy is at most this many changelog records behind may go on with the task at once. */
  readonly acceptableLag: number
  /** Ends of the changelogs of each task, added up; undefined where they could not be asked: then nobody has to catch up. */
  readonly ends: ReadonlyMap<string, number> | undefined
}

/** One member while the assignment is made: what it had and holds, and what it is given. */
export class AssignableMember {
  readonly id: string
  readonly http: string | undefined
  readonly claim: InstanceClaim | undefined
  /** Those that share a state directory name the same instance; undefined for a member that names none. */
  readonly instanceId: string | undefined
  /** The other workers of its instance. */
  siblings: readonly AssignableMember[] = []
  /** Tasks that it ran until now. */
  readonly had: ReadonlySet<string>
  readonly tasks: string[] = []
  readonly partitions: TopicPartition[] = []
  readonly standbys: string[] = []
  /** Standbys that become its tasks as soon as they have caught up. */
  readonly warmUps: string[] = []
  readonly #positions: Readonly<Record<string, number>>
  readonly #onDisk: ReadonlySet<string>
  readonly #options: AssignmentOptions

  constructor({ memberId, userData }: GroupMemberInfo, options: AssignmentOptions) {
    const { tasks, http, claim, positions = {}, onDisk = [] } = decodeMemberState(userData)
    this.id = memberId
    this.http = http
    this.claim = claim
    this.instanceId = claim?.instanceId
    this.had = new Set(tasks)
    this.#positions = positions
    this.#onDisk = new Set(onDisk)
    this.#options = options
  }

  give(group: TaskGroup, partition: number): void {
    this.tasks.push(`${group.name}_${partition}`)
    for (const topic of group.topics) this.partitions.push({ topic, partition })
  }

  /** It has at least a part of the task's state. */
  knows(task: string): boolean {
    return this.had.has(task) || task in this.#positions || this.#onDisk.has(task)
  }

  isCaughtUp(task: string): boolean {
    return this.#lag(task) <= this.#options.acceptableLag
  }

  /** Negative when this member is the better home for the task: less to restore, a disk that knows something, fewer tasks. */
  compareFor(task: string, other: AssignableMember): number {
    return (
      Number(other.had.has(task)) - Number(this.had.has(task)) ||
      compareNumbers(this.#lag(task), other.#lag(task)) ||
      Number(task in other.#positions) - Number(task in this.#positions) ||
      Number(other.knows(task)) - Number(this.knows(task))
    )
  }

  /**
   * Changelog records that it would have to replay. What a sibling runs or follows lies on the disk of both. What lies on a disk
   * that nobody has opened is not counted as there.
   */
  #lag(task: string): number {
    return Math.min(this.#ownLag(task), ...this.siblings.map(each => each.#ownLag(task)))
  }

  #ownLag(task: string): number {
    const { ends } = this.#options
    if (ends === undefined || this.had.has(task)) return 0
    return Math.max(0, (ends.get(task) ?? 0) - (this.#positions[task] ?? 0))
  }
}

function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
