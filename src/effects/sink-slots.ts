import assert from 'node:assert/strict'
import { Circuit, type Report } from '../circuit.ts'
import type { Cancel, Clock } from '../clock.ts'
import { type Logger, silentLogger } from '../log.ts'
import type { Random } from '../random.ts'
import type { RelayRooms } from '../sinks/sink.ts'
import {
  type Asking,
  type HolderName,
  type PartyName,
  type RelayName,
  relayHolder,
} from './lanes.ts'
import { defaultOutboxLimit, type OutboxLimit, OutboxRoom } from './outbox-room.ts'
import { Parties } from './parties.ts'
import type { Answer, AnyParty, Permit } from './permit.ts'
import { noLimits, type Traffic } from './traffic.ts'

export interface SinkSlotsOptions {
  readonly traffic?: Traffic | undefined
  readonly outbox?: OutboxLimit | undefined
  /** Of the sink, where it has several relays. */
  readonly rooms?: RelayRooms | undefined
  readonly log?: Logger
}

/** Of requests whose tries are under way: each is in memory several times until its end. */
const flyingBytesMax = 32 * 1024 * 1024

const anybody: Asking = Object.freeze({ priority: -Infinity, parties: [] })

/**
 * What all tasks of an instance share of one sink: how many tries may be under way, and bytes of them, how much of that each source and each
 * destination may have, and a circuit. Requests wait in their stores meanwhile, and no retry of theirs is used up.
 * What has begun is never held up by any of it.
 */
export class SinkSlots {
  /** How many requests may be open. */
  readonly outbox: OutboxRoom
  readonly #max: number
  readonly #clock: Clock
  readonly #traffic: Traffic | undefined
  readonly #circuit: Circuit
  readonly #parties: Parties
  readonly #rooms: RelayRooms | undefined
  readonly #freeListeners = new Set<() => void>()
  readonly #roomListeners = new Set<(holder: HolderName) => void>()
  readonly #timers = new Map<AnyParty, Cancel>()
  readonly #running = new Set<Permit>()
  #bytes = 0
  readonly #onRelease = (permit: RunningPermit, isUnused: boolean): void => {
    if (!this.#running.delete(permit)) return
    this.#bytes -= permit.bytes
    this.#parties.end(permit, isUnused)
    for (const party of permit.parties) this.#tellRoom(party)
    this.#tellFree()
  }

  constructor(max: number, clock: Clock, random: Random, options: SinkSlotsOptions = {}) {
    const { traffic, outbox = defaultOutboxLimit, rooms, log = silentLogger } = options
    this.outbox = new OutboxRoom(outbox, log)
    this.#max = max
    this.#clock = clock
    this.#traffic = traffic
    this.#circuit = new Circuit(clock, random, { onMayTry: () => this.#tellFree() })
    this.#parties = new Parties({ clock, slots: max, limits: traffic?.limits ?? noLimits, log })
    this.#rooms = rooms
    rooms?.onRoom(relay => {
      this.#tellRoom(relayHolder(relay))
      this.#tellFree()
    })
  }

  get used(): number {
    return this.#running.size
  }

  get isOpen(): boolean {
    return this.#circuit.state !== 'closed'
  }

  /** Those who asked for less, and the share of their traffic that they get. */
  get throttled(): ReadonlyMap<PartyName, number> {
    return this.#parties.throttled
  }

  /** Of the limits, what this instance may use: above 0, at most 1. */
  setShare(share: number): void {
    this.#parties.setShare(share)
    for (const name of this.#parties.names) this.#tellRoom(name)
    this.#tellFree()
  }

  /** Who has no room for the try; `full` when nobody of its priority may begin; undefined when it may begin now. */
  obstacle(asking: Asking): 'full' | HolderName | undefined {
    if (this.used >= this.#maxFor(asking.priority) || !this.#circuit.isPassable) return 'full'
    if (this.#bytes >= flyingBytesMax) return 'full'
    if (this.#rooms?.hasRoom === false) return 'full'
    if (this.#parties.room('sink') === 0) {
      this.#awaitPace('sink')
      return 'full'
    }
    const party = this.#parties.obstacle(asking.parties)
    if (party !== undefined) this.#awaitPace(party)
    const { relay } = asking
    return party ?? (relay !== undefined && this.roomOf(relay) === 0 ? relay : undefined)
  }

  /** Tries that may begin now as far as this one is concerned. Where there is none, `onRoom` tells when to ask again. */
  roomOf(holder: HolderName): number {
    if (isRelay(holder))
      return this.#rooms?.roomAt(holder.slice(holder.indexOf(' ') + 1)) ?? Infinity
    const room = this.#parties.room(holder)
    if (room === 0) this.#awaitPace(holder)
    return room
  }

  /** Begins a try that has no obstacle, of a request of so many bytes. */
  begin(asking: Asking, bytes = 0): Permit {
    const report = this.#circuit.begin()
    assert(report !== undefined, 'a try that has no obstacle may pass')
    const beganMs = this.#clock.monotonicMs()
    const permit = new RunningPermit(beganMs, asking.parties, report, bytes, this.#onRelease)
    this.#running.add(permit)
    this.#bytes += bytes
    this.#parties.begin(permit)
    return permit
  }

  tryAcquire(asking: Asking = anybody): Permit | undefined {
    return this.obstacle(asking) === undefined ? this.begin(asking) : undefined
  }

  /** The try was answered; `served`: without complaint. */
  answered(permit: Permit, { served, complaints }: Answer): void {
    for (const [party, complaint] of complaints) this.#parties.complain(party, permit, complaint)
    if (served) this.#parties.welcome(permit)
  }

  /** Called whenever a slot or the circuit may have become free. */
  onFree(listener: () => void): () => void {
    this.#freeListeners.add(listener)
    return () => this.#freeListeners.delete(listener)
  }

  /** Called whenever somebody may have room again. */
  onRoom(listener: (holder: HolderName) => void): () => void {
    this.#roomListeners.add(listener)
    return () => this.#roomListeners.delete(listener)
  }

  /** No timer is left behind. */
  close(): void {
    this.#circuit.close()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #maxFor(priority: number): number {
    const { bulkPriority = Infinity } = this.#traffic ?? {}
    return priority < bulkPriority ? this.#max : this.#max - Math.floor(this.#max / 10)
  }

  /** Where its rate holds it back nothing else will happen that would tell when it has room again. */
  #awaitPace(party: AnyParty): void {
    if (this.#timers.has(party)) return
    const waitMs = this.#parties.paceWaitMs(party)
    if (waitMs === 0) return
    const told = (): void => {
      this.#timers.delete(party)
      if (party !== 'sink') this.#tellRoom(party)
      this.#tellFree()
    }
    this.#timers.set(party, this.#clock.schedule(waitMs, told))
  }

  #tellRoom(holder: HolderName): void {
    for (const listener of this.#roomListeners) listener(holder)
  }

  #tellFree(): void {
    for (const listener of this.#freeListeners) listener()
  }
}

class RunningPermit implements Permit {
  readonly beganMs: number
  readonly parties: readonly PartyName[]
  readonly report: Report
  readonly bytes: number
  readonly #onRelease: (permit: RunningPermit, isUnused: boolean) => void

  constructor(
    beganMs: number,
    parties: readonly PartyName[],
    report: Report,
    bytes: number,
    onRelease: (permit: RunningPermit, isUnused: boolean) => void,
  ) {
    this.beganMs = beganMs
    this.parties = parties
    this.report = report
    this.bytes = bytes
    this.#onRelease = onRelease
  }

  release(isUnused = false): void {
    this.#onRelease(this, isUnused)
  }
}

function isRelay(holder: HolderName): holder is RelayName {
  return holder.startsWith('relay ')
}
