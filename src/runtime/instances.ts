import { StreamsError } from '../errors.ts'

/** Where an instance answers questions, and about which tasks. */
export interface InstanceInfo {
  /** HOST:PORT. */
  readonly http: string
  readonly tasks: readonly string[]
}

/** Who uses an instance id, and since when, wall clock, milliseconds: the workers of one process say the same. */
export interface InstanceClaim {
  readonly instanceId: string
  readonly sinceMs: number
}

/** What a member tells the assignor. */
export interface MemberState {
  /** The tasks it has, so that they can stay. */
  readonly tasks: readonly string[]
  /** Where it answers questions about them, HOST:PORT. */
  readonly http?: string
  readonly claim?: InstanceClaim
  /** How far it follows the changelogs of its standbys, added up for each task. */
  readonly positions?: Readonly<Record<string, number>>
  /** Tasks of which its disk knows something. */
  readonly onDisk?: readonly string[]
}

/** What a member is told beside its tasks. */
export interface StandbyWork {
  /** Tasks whose state it keeps up to date, warm-ups among them. */
  readonly standbys: readonly string[]
  /** Those that become its own once they have caught up: it then asks for a new assignment. */
  readonly warmUps: readonly string[]
  /** Somebody has warm-ups, and will ask for a new assignment soon. */
  readonly isMoving: boolean
}

/**
 * Who of the group has which task: the leader tells everybody with the assignment, as Kafka Streams does for interactive
 * queries (KIP-67). Between two rebalances it is exact; during one the asked instance says that it has no such task.
 */
export class Instances {
  /** Where this instance answers; undefined for one that answers nothing. */
  readonly own: string | undefined
  readonly #claim: InstanceClaim | undefined
  #all: readonly InstanceInfo[] = []

  constructor(own?: string, claim?: InstanceClaim) {
    this.own = own
    this.#claim = claim
  }

  /** Those that answer questions, this one among them. */
  get all(): readonly InstanceInfo[] {
    return this.#all
  }

  /** Where to ask about the task; undefined when nobody has said. */
  ownerOf(taskId: string): string | undefined {
    return this.#all.find(each => each.tasks.includes(taskId))?.http
  }

  /** What this member tells when it joins, and who it is. */
  memberState(state: Pick<MemberState, 'tasks' | 'positions' | 'onDisk'>): Buffer {
    return encodeMemberState({
      ...state,
      ...(this.own === undefined ? {} : { http: this.own }),
      ...(this.#claim === undefined ? {} : { claim: this.#claim }),
    })
  }

  /**
   * What came with an assignment; a leader of an earlier release says nothing. Throws INSTANCE_ID_IN_USE when a younger
   * member has our instance id: of two live owners the older gives way. A predecessor that was killed is still in the
   * group until its session ends, but it is the older, and cannot hear.
   */
  learn(userData: Buffer): void {
    this.#all = decodeInstances(userData)
    const own = this.#claim
    const { claims } = fieldsOf(userData)
    if (own === undefined || !Array.isArray(claims)) return
    const younger = (claims as InstanceClaim[]).some(
      each => each.instanceId === own.instanceId && each.sinceMs > own.sinceMs,
    )
    if (younger)
      throw new StreamsError(
        'INSTANCE_ID_IN_USE',
        `another process has started with the instance id ${own.instanceId}, so this one stops: give each instance its own --instance-id and --state-dir`,
      )
  }
}

export function encodeMemberState(state: MemberState): Buffer {
  return Buffer.from(JSON.stringify(state))
}

/** A member of another release may say more, or nothing: what cannot be read is no tasks. */
export function decodeMemberState(bytes: Buffer): MemberState {
  const { tasks, http, claim, positions, onDisk } = fieldsOf(bytes)
  return {
    tasks: namesIn(tasks),
    ...(typeof http === 'string' ? { http } : {}),
    ...(claim === undefined ? {} : { claim: claim as InstanceClaim }),
    positions: (positions ?? {}) as Record<string, number>,
    onDisk: namesIn(onDisk),
  }
}

function namesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as string[]) : []
}

/** The part of an assignment's user data that is the member's own; empty where there is no such work. */
export function encodeStandbyWork(work: StandbyWork): Partial<StandbyWork> {
  const { standbys, warmUps, isMoving } = work
  return { ...(standbys.length > 0 && { standbys, warmUps }), ...(isMoving && { isMoving }) }
}

/** A leader of an earlier release gives no such work. */
export function decodeStandbyWork(userData: Buffer): StandbyWork {
  const { standbys, warmUps, isMoving } = fieldsOf(userData)
  return { standbys: namesIn(standbys), warmUps: namesIn(warmUps), isMoving: isMoving === true }
}

/** Empty where nobody answers questions, no instance id is used twice and nobody has standbys. */
export function encodeInstances(
  instances: readonly InstanceInfo[],
  claims: readonly InstanceClaim[] = [],
  work: Partial<StandbyWork> = {},
): Buffer {
  const disputed = claims.filter(({ instanceId, sinceMs }) =>
    claims.some(other => other.instanceId === instanceId && other.sinceMs !== sinceMs),
  )
  if (instances.length === 0 && disputed.length === 0 && Object.keys(work).length === 0)
    return Buffer.alloc(0)
  return Buffer.from(
    JSON.stringify({ instances, ...(disputed.length > 0 ? { claims: disputed } : {}), ...work }),
  )
}

function decodeInstances(bytes: Buffer): readonly InstanceInfo[] {
  const { instances } = fieldsOf(bytes)
  if (!Array.isArray(instances)) return []
  return (instances as InstanceInfo[]).filter(
    each => typeof each.http === 'string' && Array.isArray(each.tasks),
  )
}

function fieldsOf(bytes: Buffer): Record<string, unknown> {
  try {
    return (JSON.parse(bytes.toString('utf8')) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}
