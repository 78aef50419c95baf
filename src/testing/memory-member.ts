import { type Cancel } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type {
  GroupAssignment,
  GroupGeneration,
  GroupMember,
  GroupMemberOptions,
  MembershipStatus,
} from '../runtime/ports.ts'
import type { GroupRefusal, JoinedGroup, JoinResult, SyncResult } from './group-member-state.ts'
import type { MemoryBroker } from './memory-broker.ts'
import { answered, type Reply } from './network.ts'
import { type Connection, immediately, pause } from './retries.ts'

/** A member of a group on the broker in memory: joins when it is told to, gives heartbeats, says what the group wants. */
export class MemoryMember implements GroupMember {
  readonly #broker: MemoryBroker
  readonly #connection: Connection
  readonly #options: GroupMemberOptions
  #status: MembershipStatus = 'created'
  #generation: GroupGeneration | undefined
  #failure: StreamsError | undefined
  #memberId = ''
  #closed = false
  #listener: () => void = () => undefined
  #cancelHeartbeat: Cancel = () => undefined
  #lastAnswerMs = 0
  #heartbeatIntervalMs = Infinity

  constructor(broker: MemoryBroker, connection: Connection, options: GroupMemberOptions) {
    this.#broker = broker
    this.#connection = connection
    this.#options = options
  }

  get status(): MembershipStatus {
    return this.#status
  }

  get generation(): GroupGeneration | undefined {
    return this.#generation
  }

  get failure(): StreamsError | undefined {
    return this.#failure
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  async join(userData: Buffer, signal: AbortSignal): Promise<GroupAssignment> {
    this.#cancelHeartbeat()
    if (this.#status === 'joined') this.#become('rebalancing')
    for (;;) {
      this.#throwIfOver(signal)
      const joined = await this.#unlessAborted(this.#sendJoin(userData), signal)
      if (joined.status !== 'answered') {
        await pause(this.#connection)
        continue
      }
      if (typeof joined.value === 'string') {
        this.#refused(joined.value)
        continue
      }
      this.#memberId = joined.value.memberId
      const synced = await this.#unlessAborted(this.#assignAndSync(joined.value), signal)
      if (synced.status !== 'answered') {
        await pause(this.#connection)
        continue
      }
      if (typeof synced.value === 'string') {
        this.#refused(synced.value)
        continue
      }
      this.#throwIfOver(signal)
      this.#joined(joined.value.generationId)
      return synced.value
    }
  }

  expectRebalance(heartbeatIntervalMs: number): void {
    if (this.#generation === undefined) return
    this.#heartbeatIntervalMs = Math.min(this.#heartbeatIntervalMs, heartbeatIntervalMs)
    this.#scheduleHeartbeat()
  }

  async leave(permanently: boolean): Promise<void> {
    const memberId = this.#memberId
    const { groupInstanceId } = this.#options
    this.#memberId = ''
    this.#cancelHeartbeat()
    if (this.#status !== 'stopped') this.#become('created')
    if (memberId === '' || (groupInstanceId !== null && !permanently)) return
    const { network, process, requestTimeoutMs: timeoutMs } = this.#connection
    // One try: who cannot be told learns it from the missing heartbeats.
    await network.send(process, {
      ...this.#request('leave-group', `${memberId} leaves`),
      timeoutMs,
      execute: immediately(() => this.#group.remove(memberId, 'it left')),
    })
  }

  /** Leaves the group, as `leave(false)` does. */
  async close(): Promise<void> {
    this.#listener = () => undefined
    this.#closed = true
    await this.leave(false)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #group() {
    return this.#broker.group(this.#options.groupId)
  }

  #request<Name extends string>(name: Name, detail?: string) {
    return {
      name,
      target: this.#group.offsets.name,
      ...(detail !== undefined && { detail }),
      timeoutMs: this.#connection.requestTimeoutMs,
    }
  }

  #sendJoin(userData: Buffer): Promise<Reply<JoinResult>> {
    const { network, process } = this.#connection
    const { groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const times = { sessionTimeoutMs, rebalanceTimeoutMs }
    const who = { memberId: this.#memberId, groupInstanceId, client: process.id, userData }
    return network.send(process, {
      ...this.#request('join-group', `joins as ${this.#memberId || 'a new member'}`),
      timeoutMs: rebalanceTimeoutMs + this.#connection.requestTimeoutMs,
      execute: answer => this.#group.join({ ...who, ...times }, result => answer(answered(result))),
    })
  }

  async #assignAndSync({
    memberId,
    generationId,
    members,
  }: JoinedGroup): Promise<Reply<SyncResult>> {
    const { network, process } = this.#connection
    const { assignor, groupInstanceId, rebalanceTimeoutMs } = this.#options
    const assignments = members === undefined ? undefined : await assignor(members)
    return network.send(process, {
      ...this.#request('sync-group'),
      timeoutMs: rebalanceTimeoutMs + this.#connection.requestTimeoutMs,
      execute: answer =>
        this.#group.sync(memberId, groupInstanceId, generationId, assignments, result =>
          answer(answered(result)),
        ),
    })
  }

  #joined(generationId: number): void {
    const { groupId, groupInstanceId } = this.#options
    this.#generation = { groupId, memberId: this.#memberId, generationId, groupInstanceId }
    this.#lastAnswerMs = this.#connection.process.clock.monotonicMs()
    this.#heartbeatIntervalMs = this.#options.heartbeatIntervalMs
    this.#become('joined')
    this.#scheduleHeartbeat()
  }

  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat()
    const { clock } = this.#connection.process
    const beat = (): void => void this.#beat(this.#generation)
    this.#cancelHeartbeat = clock.schedule(this.#heartbeatIntervalMs, beat)
  }

  async #beat(generation: GroupGeneration | undefined): Promise<void> {
    if (generation === undefined) return
    const { network, process } = this.#connection
    const { memberId, groupInstanceId, generationId } = generation
    const { clock } = process
    if (clock.monotonicMs() - this.#lastAnswerMs > this.#options.sessionTimeoutMs) {
      this.#become('lost')
      return
    }
    this.#scheduleHeartbeat()
    const reply = await network.send(process, {
      ...this.#request('heartbeat'),
      execute: immediately(() => this.#group.heartbeat(memberId, groupInstanceId, generationId)),
    })
    if (reply.status !== 'answered' || this.#generation !== generation) return
    this.#lastAnswerMs = clock.monotonicMs()
    if (reply.value !== 'OK') this.#refused(reply.value)
  }

  #refused(refusal: GroupRefusal): void {
    if (refusal === 'REBALANCE_IN_PROGRESS') {
      if (this.#status === 'joined') this.#become('rebalancing')
      return
    }
    this.#cancelHeartbeat()
    if (refusal === 'FENCED_INSTANCE_ID') {
      const { groupInstanceId, groupId } = this.#options
      const text = `another live process is ${groupInstanceId} in the group ${groupId}`
      this.#failure = new StreamsError('INSTANCE_ID_IN_USE', text)
      this.#become('stopped')
      return
    }
    if (refusal === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
    if (this.#status !== 'created') this.#become('lost')
  }

  #become(status: MembershipStatus): void {
    const isMember = status === 'joined' || status === 'rebalancing'
    if (!isMember) this.#generation = undefined
    if (this.#status === status) return
    this.#status = status
    this.#connection.network.story.tell(this.#connection.process.id, `is ${status}`)
    this.#listener()
  }

  #throwIfOver(signal: AbortSignal): void {
    if (this.#failure !== undefined) throw this.#failure
    if (signal.aborted || this.#closed)
      throw new StreamsError('CLOSED', `joining ${this.#options.groupId} was ended`)
  }

  /** The wait for the others can be long: an abort ends it at once, and the late answer is forgotten. */
  #unlessAborted<T>(waiting: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const abort = (): void =>
        reject(new StreamsError('CLOSED', `joining ${this.#options.groupId} was ended`))
      if (signal.aborted) abort()
      signal.addEventListener('abort', abort, { once: true })
      waiting.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject)
    })
  }
}
