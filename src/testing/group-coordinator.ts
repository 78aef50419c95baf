import { StreamsError } from '../errors.ts'
import type { GroupAssignment, GroupGeneration } from '../runtime/ports.ts'
import {
  type GroupRefusal,
  type JoinRequest,
  type JoinResult,
  type MemberState,
  noAssignment,
  type SyncResult,
} from './group-member-state.ts'
import { GroupOffsets } from './group-offsets.ts'
import type { Network } from './network.ts'

/** `preparing`: waits until everybody has joined again; `completing`: waits for the leader's assignment. */
export type GroupStatus = 'empty' | 'preparing' | 'completing' | 'stable'

/** One group of the classic protocol: joining, generations, sessions and static members (KIP-345), as a broker keeps them. */
export class GroupCoordinator {
  readonly groupId: string
  readonly offsets: GroupOffsets
  readonly #network: Network
  readonly #members = new Map<string, MemberState>()
  #status: GroupStatus = 'empty'
  #generationId = 0
  #leaderId = ''
  #memberCount = 0
  #cancelRebalance: () => void = () => undefined

  constructor(groupId: string, network: Network) {
    this.groupId = groupId
    this.#network = network
    this.offsets = new GroupOffsets(groupId)
  }

  get status(): GroupStatus {
    return this.#status
  }

  get generationId(): number {
    return this.#generationId
  }

  /** Ids of the members, with the process each belongs to. */
  get members(): readonly { readonly memberId: string; readonly client: string }[] {
    return [...this.#members.values()].map(({ memberId, client }) => ({ memberId, client }))
  }

  /** Answers when everybody has joined, or when those who did not have been expelled. */
  join(request: JoinRequest, respond: (result: JoinResult) => void): void {
    const known = this.#memberOfInstance(request.groupInstanceId)
    if (request.memberId !== '') {
      const refusal = this.#refusal(request.memberId, request.groupInstanceId)
      if (refusal !== undefined) respond(refusal)
      else this.#rejoin(request, respond)
    } else if (known === undefined) {
      const member = this.#create(request)
      member.joining = respond
      this.#prepareRebalance(`${member.memberId} joins`)
    } else {
      this.#replace(known, request, respond)
    }
  }

  /** Answers when the leader's assignment is there; `assignments` is the leader's own. */
  sync(
    memberId: string,
    groupInstanceId: string | null,
    generationId: number,
    assignments: ReadonlyMap<string, GroupAssignment> | undefined,
    respond: (result: SyncResult) => void,
  ): void {
    const refusal =
      this.#refusal(memberId, groupInstanceId, generationId) ??
      (this.#status === 'preparing' ? 'REBALANCE_IN_PROGRESS' : undefined)
    const member = this.#members.get(memberId)
    if (refusal !== undefined || member === undefined) {
      respond(refusal ?? 'UNKNOWN_MEMBER_ID')
      return
    }
    this.#restartSession(member)
    member.syncing = respond
    const isAnswer = this.#status === 'completing' && assignments !== undefined
    if (isAnswer && memberId === this.#leaderId) {
      for (const each of this.#members.values())
        each.assignment = assignments.get(each.memberId) ?? noAssignment
      this.#tell(`generation ${this.#generationId} is stable`)
      this.#status = 'stable'
    }
    if (this.#status !== 'stable') return
    for (const each of this.#members.values()) this.#answerSync(each, each.assignment)
  }

  heartbeat(
    memberId: string,
    groupInstanceId: string | null,
    generationId: number,
  ): 'OK' | GroupRefusal {
    const refusal = this.#refusal(memberId, groupInstanceId, generationId)
    const member = this.#members.get(memberId)
    if (refusal !== undefined || member === undefined) return refusal ?? 'UNKNOWN_MEMBER_ID'
    this.#restartSession(member)
    return this.#status === 'preparing' ? 'REBALANCE_IN_PROGRESS' : 'OK'
  }

  /** Takes a member out: it left, or a test expels it. */
  remove(memberId: string, reason: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#tell(`${memberId} is out: ${reason}`)
    this.#forget(member, 'UNKNOWN_MEMBER_ID')
    if (this.#status === 'preparing') this.#completeIfAllJoined()
    else this.#prepareRebalance(reason)
  }

  /** The fence of KIP-447: throws GROUP_FENCED when the generation is not the current one or the member is not in it. */
  checkGeneration({ memberId, groupInstanceId, generationId }: GroupGeneration): void {
    const refusal = this.#refusal(memberId, groupInstanceId, generationId)
    if (refusal === undefined) return
    const whom = `${memberId} in generation ${generationId}`
    throw new StreamsError('GROUP_FENCED', `group ${this.groupId} refuses ${whom}: ${refusal}`)
  }

  #tell(text: string): void {
    this.#network.story.tell(`group ${this.groupId}`, text)
  }

  #memberOfInstance(groupInstanceId: string | null): MemberState | undefined {
    if (groupInstanceId === null) return undefined
    return [...this.#members.values()].find(member => member.groupInstanceId === groupInstanceId)
  }

  #refusal(
    memberId: string,
    groupInstanceId: string | null,
    generationId = this.#generationId,
  ): GroupRefusal | undefined {
    const owner = this.#memberOfInstance(groupInstanceId)
    if (owner !== undefined && owner.memberId !== memberId) return 'FENCED_INSTANCE_ID'
    if (!this.#members.has(memberId)) return 'UNKNOWN_MEMBER_ID'
    return generationId === this.#generationId ? undefined : 'ILLEGAL_GENERATION'
  }

  #create(request: JoinRequest): MemberState {
    this.#memberCount += 1
    const member: MemberState = {
      memberId: `${request.client}-${this.#memberCount}`,
      groupInstanceId: request.groupInstanceId,
      client: request.client,
      userData: request.userData,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      joining: undefined,
      syncing: undefined,
      assignment: noAssignment,
      cancelSession: () => undefined,
    }
    this.#members.set(member.memberId, member)
    this.#restartSession(member)
    return member
  }

  #rejoin(request: JoinRequest, respond: (result: JoinResult) => void): void {
    const member = this.#members.get(request.memberId)
    if (member === undefined) return
    const isSame = member.userData.equals(request.userData)
    member.userData = request.userData
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    this.#restartSession(member)
    // A follower that changes nothing gets the current generation: it only missed the answer.
    const missedAnswer =
      isSame &&
      (this.#status === 'completing' ||
        (this.#status === 'stable' && member.memberId !== this.#leaderId))
    if (missedAnswer) {
      respond(this.#joined(member))
      return
    }
    member.joining = respond
    this.#prepareRebalance(`${member.memberId} joins again`)
  }

  /** A static member that comes back takes the place of its predecessor; a stable group goes on as it is. */
  #replace(known: MemberState, request: JoinRequest, respond: (result: JoinResult) => void): void {
    this.#forget(known, 'FENCED_INSTANCE_ID')
    const member = this.#create(request)
    if (known.memberId === this.#leaderId) this.#leaderId = member.memberId
    this.#tell(`${member.memberId} replaces ${known.memberId}`)
    if (this.#status !== 'stable') {
      member.joining = respond
      this.#prepareRebalance(`${member.memberId} joins`)
      return
    }
    member.assignment = known.assignment
    respond({ memberId: member.memberId, generationId: this.#generationId, members: undefined })
  }

  #prepareRebalance(reason: string): void {
    if (this.#status !== 'preparing') {
      this.#tell(`rebalance: ${reason}`)
      for (const member of this.#members.values()) this.#answerSync(member, 'REBALANCE_IN_PROGRESS')
      this.#status = 'preparing'
      this.#scheduleCompletion()
    }
    this.#completeIfAllJoined()
  }

  #scheduleCompletion(): void {
    const longest = Math.max(
      0,
      ...[...this.#members.values()].map(member => member.rebalanceTimeoutMs),
    )
    this.#cancelRebalance = this.#network.clock.schedule(longest, () => this.#complete())
  }

  #completeIfAllJoined(): void {
    if ([...this.#members.values()].every(member => member.joining !== undefined)) this.#complete()
  }

  #complete(): void {
    this.#cancelRebalance()
    for (const member of this.#members.values()) {
      const isMissing = member.joining === undefined && member.groupInstanceId === null
      if (!isMissing) continue
      this.#tell(`${member.memberId} is out: it did not join again in time`)
      this.#forget(member, 'UNKNOWN_MEMBER_ID')
    }
    const joined = [...this.#members.values()].filter(member => member.joining !== undefined)
    if (joined.length === 0 && this.#members.size > 0) {
      this.#scheduleCompletion()
      return
    }
    this.#generationId += 1
    this.#status = joined.length === 0 ? 'empty' : 'completing'
    const leader = joined.find(member => member.memberId === this.#leaderId) ?? joined[0]
    this.#leaderId = leader?.memberId ?? ''
    const who = joined.map(member => member.memberId).join(', ')
    this.#tell(`generation ${this.#generationId}: ${who}; leader ${this.#leaderId}`)
    for (const member of joined) {
      const respond = member.joining
      member.joining = undefined
      this.#restartSession(member)
      respond?.(this.#joined(member))
    }
  }

  #joined(member: MemberState): JoinResult {
    const isLeader = member.memberId === this.#leaderId
    const { memberId } = member
    const members = [...this.#members.values()].map(each => ({
      memberId: each.memberId,
      groupInstanceId: each.groupInstanceId,
      userData: each.userData,
    }))
    return {
      memberId,
      generationId: this.#generationId,
      members: isLeader ? members : undefined,
    }
  }

  #forget(member: MemberState, refusal: GroupRefusal): void {
    member.cancelSession()
    this.#members.delete(member.memberId)
    member.joining?.(refusal)
    this.#answerSync(member, refusal)
  }

  #answerSync(member: MemberState, result: SyncResult): void {
    const respond = member.syncing
    member.syncing = undefined
    respond?.(result)
  }

  #restartSession(member: MemberState): void {
    member.cancelSession()
    member.cancelSession = this.#network.clock.schedule(member.sessionTimeoutMs, () => {
      // Whoever waits for an answer of the group has no heartbeat to give.
      if (member.joining !== undefined || member.syncing !== undefined) this.#restartSession(member)
      else this.remove(member.memberId, `no heartbeat for ${member.sessionTimeoutMs} ms`)
    })
  }
}
