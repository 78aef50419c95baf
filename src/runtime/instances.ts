import { StreamsError } from '../errors.ts'

/** Where an instance answers questions, and about which tasks. */
export interface InstanceInfo {
  /** HOST:PORT. */
  readonly http: string
  readonly tasks: readonly string[]
}

/** Who uses an instance id, and since when, wall clock, milliseconds. */
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

  /** What this member tells when it joins with these tasks. */
  memberState(tasks: readonly string[]): Buffer {
    return encodeMemberState({
      tasks,
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
  const { tasks, http, claim } = fieldsOf(bytes)
  return {
    tasks: Array.isArray(tasks) ? (tasks as string[]) : [],
    ...(typeof http === 'string' ? { http } : {}),
    ...(claim === undefined ? {} : { claim: claim as InstanceClaim }),
  }
}

/** Empty where nobody answers questions and no instance id is used twice. */
export function encodeInstances(
  instances: readonly InstanceInfo[],
  claims: readonly InstanceClaim[] = [],
): Buffer {
  const disputed = claims.filter(
    each => claims.filter(other => other.instanceId === each.instanceId).length > 1,
  )
  if (instances.length === 0 && disputed.length === 0) return Buffer.alloc(0)
  return Buffer.from(
    JSON.stringify({ instances, ...(disputed.length > 0 ? { claims: disputed } : {}) }),
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
