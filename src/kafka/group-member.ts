import { joinGroupV9, leaveGroupV5, syncGroupV5 } from './wire-library.ts'
import { sleep } from '../clock.ts'
import { StreamsError, describeError } from '../errors.ts'
import type {
  GroupAssignment,
  GroupGeneration,
  GroupMember,
  GroupMemberInfo,
  GroupMemberOptions,
  MembershipStatus,
} from '../runtime/ports.ts'
import { BrokerConnections } from './broker-connections.ts'
import { classify, errorNamesOf, toStreamsError } from './classify.ts'
import { ClusterMetadata } from './cluster-metadata.ts'
import {
  consumerProtocolType,
  decodeAssignment,
  decodeSubscriptionUserData,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts'
import { Coordinator } from './coordinator.ts'
import { Heartbeat } from './heartbeat.ts'
import type { ResolvedKafkaOptions } from './options.ts'

type JoinResponse = Awaited<ReturnType<typeof joinGroupV9.api.async>>

/** `GroupMember` by the classic protocol over the wire (KIP-62, static members KIP-345). */
export class KafkaGroupMember implements GroupMember {
  readonly #options: ResolvedKafkaOptions
  readonly #group: GroupMemberOptions
  readonly #metadata: ClusterMetadata
  /** While a join is under way. */
  #joinConnections: BrokerConnections | undefined
  readonly #heartbeatConnections: BrokerConnections
  readonly #heartbeatCoordinator: Coordinator
  #heartbeat: Heartbeat | undefined
  #status: MembershipStatus = 'created'
  #generation: GroupGeneration | undefined
  #failure: Error | undefined
  #memberId = ''
  #closed = false
  #listener: () => void = () => undefined

  constructor(options: ResolvedKafkaOptions, group: GroupMemberOptions) {
    this.#options = options
    this.#group = group
    this.#metadata = new ClusterMetadata(options)
    // Several attempts must fit into one session.
    const answerMs = Math.max(1, Math.ceil(group.sessionTimeoutMs / 3))
    this.#heartbeatConnections = new BrokerConnections(options, answerMs)
    this.#heartbeatCoordinator = new Coordinator(
      this.#metadata,
      this.#heartbeatConnections,
      'group',
      group.groupId,
    )
  }

  get status(): MembershipStatus {
    return this.#status
  }

  get generation(): GroupGeneration | undefined {
    return this.#generation
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  async join(userData: Buffer, signal: AbortSignal): Promise<GroupAssignment> {
    this.#mustBeOpen(signal)
    if (this.#joinConnections !== undefined)
      throw new StreamsError('INTERNAL', 'join was called while joining')
    this.#heartbeat?.stop()
    // JoinGroup and SyncGroup wait for the others: heartbeats must not stand behind them, and only hanging up ends
    // them early.
    const connections = this.#openJoinConnections()
    this.#joinConnections = connections
    const hangUp = (): void => void connections.close()
    signal.addEventListener('abort', hangUp, { once: true })
    try {
      const coordinator = new Coordinator(this.#metadata, connections, 'group', this.#group.groupId)
      return await this.#joinUntilAssigned(coordinator, userData, signal)
    } finally {
      signal.removeEventListener('abort', hangUp)
      this.#joinConnections = undefined
      await connections.close()
    }
  }

  expectRebalance(heartbeatIntervalMs: number): void {
    this.#heartbeat?.hurry(heartbeatIntervalMs)
  }

  async leave(permanently: boolean): Promise<void> {
    this.#heartbeat?.stop()
    const memberId = this.#memberId
    const { groupId, groupInstanceId } = this.#group
    this.#memberId = ''
    if (memberId !== '' && (groupInstanceId === null || permanently)) {
      try {
        const connection = await this.#heartbeatCoordinator.connection()
        await leaveGroupV5.api.async(connection, groupId, [
          { memberId, groupInstanceId, reason: 'the member is closing' },
        ])
      } catch (error) {
        // The group notices by itself when the session ends.
        this.#options.log.debug({ event: 'leave-failed', reason: describeError(error) })
      }
    }
    if (this.#status !== 'stopped') this.#change('created', undefined)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#joinConnections?.close()
    await this.leave(false)
    await Promise.all([this.#heartbeatConnections.close(), this.#metadata.close()])
    this.#change('stopped', undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---------------------------------------------------------------- joining

  async #joinUntilAssigned(
    coordinator: Coordinator,
    userData: Buffer,
    signal: AbortSignal,
  ): Promise<GroupAssignment> {
    for (let failures = 0; ;) {
      try {
        const joined = await this.#joinGroup(coordinator, userData)
        return await this.#syncGroup(coordinator, joined)
      } catch (error) {
        this.#mustBeOpen(signal)
        if (this.#learnFrom(error)) continue
        coordinator.forget()
        failures += 1
        if (failures === 1)
          this.#options.log.info({ event: 'join-retried', reason: describeError(error) })
        await sleep(this.#options.clock, this.#options.retryBackoffMs, signal)
        this.#mustBeOpen(signal)
      }
    }
  }

  /** True when the next attempt can be made at once, false when it should wait; throws what no attempt can help. */
  #learnFrom(error: unknown): boolean {
    const names = errorNamesOf(error)
    if (names.includes('MEMBER_ID_REQUIRED')) {
      this.#memberId = (error as { response?: JoinResponse }).response?.memberId ?? ''
      return true
    }
    if (names.includes('UNKNOWN_MEMBER_ID')) this.#memberId = ''
    const handling = classify(error)
    if (handling === 'GROUP_FENCED') return true
    if (handling === 'again' || handling === 'elsewhere' || handling === 'lost') return false
    const failure = toStreamsError(error, handling, `joining the group ${this.#group.groupId}`)
    this.#stop(failure)
    throw failure
  }

  async #joinGroup(coordinator: Coordinator, userData: Buffer): Promise<JoinResponse> {
    const { groupId, groupInstanceId, topics, protocolName, sessionTimeoutMs, rebalanceTimeoutMs } =
      this.#group
    const joined = await joinGroupV9.api.async(
      await coordinator.connection(),
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      this.#memberId,
      groupInstanceId,
      consumerProtocolType,
      [{ name: protocolName, metadata: encodeSubscription(topics, userData) }],
      null,
    )
    this.#memberId = joined.memberId
    return joined
  }

  async #syncGroup(coordinator: Coordinator, joined: JoinResponse): Promise<GroupAssignment> {
    const { groupId, groupInstanceId, protocolName } = this.#group
    const { memberId, generationId } = joined
    // A static leader that comes back keeps what it had: the group goes on with the assignment it has (KIP-814).
    const decides = joined.leader === memberId && !joined.skipAssignment
    const assignments = decides ? await this.#assign(joined) : []
    const sentMs = this.#options.clock.monotonicMs()
    const synced = await syncGroupV5.api.async(
      await coordinator.connection(),
      groupId,
      generationId,
      memberId,
      groupInstanceId,
      consumerProtocolType,
      protocolName,
      assignments,
    )
    const assignment = decodeAssignment(synced.assignment)
    const generation = { groupId, memberId, generationId, groupInstanceId }
    this.#heartbeatCoordinator.forget()
    this.#heartbeat = this.#startHeartbeat(generation)
    this.#options.log.debug({
      event: 'joined',
      generationId,
      syncMs: this.#options.clock.monotonicMs() - sentMs,
    })
    this.#change('joined', generation)
    return assignment
  }

  async #assign(joined: JoinResponse): Promise<{ memberId: string; assignment: Buffer }[]> {
    const members: GroupMemberInfo[] = (joined.members ?? []).map(each => ({
      memberId: each.memberId,
      groupInstanceId: each.groupInstanceId ?? null,
      userData: decodeSubscriptionUserData(each.metadata ?? Buffer.alloc(0)),
    }))
    const assigned = await this.#group.assignor(members)
    return [...assigned].map(([memberId, assignment]) => ({
      memberId,
      assignment: encodeAssignment(assignment),
    }))
  }

  #startHeartbeat(generation: GroupGeneration): Heartbeat {
    const { heartbeatIntervalMs: intervalMs, sessionTimeoutMs } = this.#group
    const { clock, retryBackoffMs } = this.#options
    const options = { clock, intervalMs, sessionTimeoutMs, retryBackoffMs }
    return new Heartbeat(options, this.#heartbeatCoordinator, generation, {
      rebalancing: () => this.#change('rebalancing', generation),
      lost: reason => {
        this.#options.log.warn({ event: 'membership-lost', reason })
        this.#change('lost', undefined)
      },
      refused: (error, handling) =>
        this.#stop(
          toStreamsError(
            error,
            handling === 'again' || handling === 'elsewhere' || handling === 'lost'
              ? 'INTERNAL'
              : handling,
            `heartbeat in the group ${this.#group.groupId}`,
          ),
        ),
    })
  }

  #stop(failure: Error): void {
    this.#heartbeat?.stop()
    this.#failure = failure
    this.#change('stopped', undefined)
  }

  #change(status: MembershipStatus, generation: GroupGeneration | undefined): void {
    this.#generation = generation
    if (this.#status === status) return
    this.#status = status
    this.#listener()
  }

  #mustBeOpen(signal: AbortSignal): void {
    if (this.#closed || signal.aborted)
      throw new StreamsError('CLOSED', 'the member is closed, or joining was called off')
  }

  #openJoinConnections(): BrokerConnections {
    const { rebalanceTimeoutMs, sessionTimeoutMs } = this.#group
    const waitMs = rebalanceTimeoutMs + sessionTimeoutMs + this.#options.requestTimeoutMs
    return new BrokerConnections(this.#options, waitMs)
  }
}
