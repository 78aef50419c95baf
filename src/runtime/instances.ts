/** Where an instance answers questions, and about which tasks. */
export interface InstanceInfo {
  /** HOST:PORT. */
  readonly http: string
  readonly tasks: readonly string[]
}

/** What a member tells the assignor. */
export interface MemberState {
  /** The tasks it has, so that they can stay. */
  readonly tasks: readonly string[]
  /** Where it answers questions about them, HOST:PORT. */
  readonly http?: string
}

/**
 * Who of the group has which task: the leader tells everybody with the assignment, as Kafka Streams does for interactive
 * queries (KIP-67). Between two rebalances it is exact; during one the asked instance says that it has no such task.
 */
export class Instances {
  /** Where this instance answers; undefined for one that answers nothing. */
  readonly own: string | undefined
  #all: readonly InstanceInfo[] = []

  constructor(own?: string) {
    this.own = own
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
    return encodeMemberState(this.own === undefined ? { tasks } : { tasks, http: this.own })
  }

  /** What came with an assignment; a leader of an earlier release says nothing. */
  learn(userData: Buffer): void {
    this.#all = decodeInstances(userData)
  }
}

export function encodeMemberState(state: MemberState): Buffer {
  return Buffer.from(JSON.stringify(state))
}

/** A member of another release may say more, or nothing: what cannot be read is no tasks. */
export function decodeMemberState(bytes: Buffer): MemberState {
  const { tasks, http } = fieldsOf(bytes)
  const had = { tasks: Array.isArray(tasks) ? (tasks as string[]) : [] }
  return typeof http === 'string' ? { ...had, http } : had
}

/** Empty where nobody answers questions. */
export function encodeInstances(instances: readonly InstanceInfo[]): Buffer {
  return Buffer.from(instances.length === 0 ? '' : JSON.stringify({ instances }))
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
