import { type Delivery, pendingTargets } from './delivery.ts'
import { DueQueue } from './due-queue.ts'
import type { Flight } from './flight.ts'
import { type HolderName, type Lane, Lanes, type RelayName } from './lanes.ts'
import type { OutboxRoom } from './outbox-room.ts'
import { ReadyLines, type Verdict } from './ready-lines.ts'
import { noRow, Rows } from './rows.ts'
import type { Traffic } from './traffic.ts'

/**
 * Where an open request is in memory: `ready` to be tried, `loading` its bytes, `flying` (preparing, at the gate, or past
 * it), a `timer`, or in `doubt` (an attempt of a former owner, waiting for evidence).
 */
export type Stage = 'ready' | 'loading' | 'flying' | 'timer' | 'doubt'

const stages: readonly Stage[] = ['ready', 'loading', 'flying', 'timer', 'doubt']

/** Requests whose bytes stay in memory while they wait for their turn, and how many bytes. */
const retainedMax = { requests: 2000, bytes: 4 * 1024 * 1024 }
/** What the store keeps of a request beside its bytes, roughly. */
const stateBytes = 500

/** Decides about the next in line; `delivery` where its bytes are in memory. */
export type AdmitRequest = (lane: Lane, delivery: Delivery | undefined) => Verdict

export interface TakenRequest {
  readonly identity: string
  readonly lane: Lane
  readonly delivery: Delivery | undefined
}

/** All open requests of one task, in memory: what is next, and when. */
export class OpenRequests {
  readonly #traffic: Traffic | undefined
  #rows = new Rows()
  #lanes = new Lanes(this.#rows)
  #ready = new ReadyLines(this.#rows, this.#lanes)
  /** When a waiting one is due, or a ready one expires. */
  #timers = new DueQueue()
  /** Of those under way, in doubt, and the first in line: the others are read again from the store when their turn comes. */
  readonly #deliveries = new Map<number, Delivery>()
  readonly #flights = new Map<number, Flight>()
  readonly #counts = new Uint32Array(stages.length)
  readonly #room: OutboxRoom | undefined
  /** Ready ones whose bytes are in memory. */
  #retained = 0
  #retainedBytes = 0
  #bytes = 0

  /** `room` is told what is open. */
  constructor(traffic?: Traffic, room?: OutboxRoom) {
    this.#traffic = traffic
    this.#room = room
  }

  get size(): number {
    return this.#rows.count
  }

  get readyCount(): number {
    return this.#ready.count
  }

  /** Lanes that wait for room. */
  get blockedCount(): number {
    return this.#ready.blockedCount
  }

  /** Ready ones may be left that nobody has been asked about: begin again. */
  get isUnfinished(): boolean {
    return this.#ready.isUnfinished
  }

  get nextTimerMs(): number {
    return this.#timers.nextDueMs
  }

  has(identity: string): boolean {
    return this.#rows.find(identity) !== noRow
  }

  stage(identity: string): Stage | undefined {
    const row = this.#rows.find(identity)
    return row === noRow ? undefined : this.#stageOf(row)
  }

  count(stage: Stage): number {
    return this.#counts[stages.indexOf(stage)]!
  }

  /** Where its bytes are in memory. */
  delivery(identity: string): Delivery | undefined {
    return this.#deliveries.get(this.#rows.find(identity))
  }

  flight(identity: string): Flight | undefined {
    return this.#flights.get(this.#rows.find(identity))
  }

  setFlight(identity: string, flight: Flight | undefined): void {
    const row = this.#rows.find(identity)
    if (flight === undefined) this.#flights.delete(row)
    else this.#flights.set(row, flight)
  }

  /** Of the request and what is kept beside it, bytes; 0 where nobody knows it. */
  sizeOf(identity: string): number {
    const row = this.#rows.find(identity)
    return row === noRow ? 0 : this.#rows.size[row]!
  }

  /** Times its bytes were asked for: an answer to an earlier time is old. */
  loads(identity: string): number | undefined {
    return this.#rows.loads[this.#rows.find(identity)]
  }

  delete(identity: string): void {
    const row = this.#rows.find(identity)
    if (row === noRow) return
    this.#leave(row)
    this.#counts[this.#rows.stage[row]!]! -= 1
    this.#resize(-1, -this.#rows.size[row]!)
    this.#timers.delete(row)
    this.#deliveries.delete(row)
    this.#flights.delete(row)
    this.#lanes.exit(row)
    this.#rows.delete(row)
  }

  clear(): void {
    this.#resize(-this.size, -this.#bytes)
    this.#rows = new Rows()
    this.#lanes = new Lanes(this.#rows)
    this.#ready = new ReadyLines(this.#rows, this.#lanes)
    this.#timers = new DueQueue()
    this.#deliveries.clear()
    this.#flights.clear()
    this.#counts.fill(0)
    this.#retained = 0
    this.#retainedBytes = 0
  }

  /** Puts the request where its delivery state says. `attempting` is left to the caller. */
  place(delivery: Delivery): void {
    const row = this.#enter(delivery)
    const { state } = delivery
    if (state.kind === 'waiting') {
      this.#setStage(row, 'timer')
      this.#deliveries.delete(row)
      this.#timers.set(row, Math.min(state.dueMs, this.#rows.expiresAtMs[row]!))
      return
    }
    this.#deliveries.set(row, delivery)
    if (state.kind === 'attempting') this.#setStage(row, 'doubt')
    else this.#makeReady(row)
  }

  /** Back in line, at its end: after a try that changed nothing. */
  makeReady(identity: string): void {
    const row = this.#rows.find(identity)
    this.#leave(row)
    this.#makeReady(row)
  }

  /** Out of the line until this relay has room for it. */
  waitFor(identity: string, relay: RelayName): void {
    const row = this.#rows.find(identity)
    this.#leave(row)
    this.#lanes.sendBy(row, relay)
    this.#retainIfRoom(row)
    this.#setStage(row, 'ready')
    this.#ready.hold(row, relay)
    this.#timers.set(row, this.#rows.expiresAtMs[row]!)
  }

  /** Out of the line until then, in memory alone: whom it may be given to is out of reach. */
  putOff(identity: string, untilMs: number): void {
    const row = this.#rows.find(identity)
    this.#leave(row)
    this.#deliveries.delete(row)
    this.#setStage(row, 'timer')
    this.#timers.set(row, Math.min(untilMs, this.#rows.expiresAtMs[row]!))
  }

  /** First in line, with its bytes: its turn had come when they were asked for. */
  makeNext(identity: string, delivery: Delivery): void {
    const row = this.#rows.find(identity)
    this.#leave(row)
    this.#deliveries.set(row, delivery)
    this.#retain(row, 1)
    this.#setReady(row, true)
  }

  /** Its bytes were read, not to be tried but to be ended. */
  retain(identity: string, delivery: Delivery): void {
    this.#deliveries.set(this.#rows.find(identity), delivery)
  }

  setStage(identity: string, stage: 'loading' | 'flying'): void {
    const row = this.#rows.find(identity)
    this.#leave(row)
    this.#timers.delete(row)
    if (stage === 'loading') this.#rows.loads[row]! += 1
    this.#setStage(row, stage)
  }

  /**
   * Waiting ones that are due become ready; returns those whose expiry is due: they must end although nobody has room for them. At most
   * `limit` of both, and no more once the expired ones come to `bytesMax`.
   */
  wakeDue(nowMs: number, limit: number, bytesMax = Infinity): string[] {
    const expired: string[] = []
    let bytes = 0
    if (this.#timers.nextDueMs > nowMs) return expired
    for (let woken = 0; woken < limit && bytes < bytesMax; woken += 1) {
      const [row] = this.#timers.takeDue(nowMs, 1)
      if (row === undefined) break
      if (this.#rows.expiresAtMs[row]! > nowMs) this.#makeReady(row)
      else {
        expired.push(this.#rows.identityOf(row))
        bytes += this.#rows.size[row]!
      }
    }
    return expired
  }

  // ------------------------------------------------------------ whose turn it is

  /** True when somebody waits for room of this party. */
  waitsFor(holder: HolderName): boolean {
    return this.#ready.waitsFor(holder)
  }

  /** The party may have room again. */
  noteRoom(holder: HolderName): void {
    this.#ready.noteRoom(holder)
  }

  /** Those that were held back try again, as many as there is room for. */
  wakeBlocked(roomOf: (holder: HolderName) => number): void {
    this.#ready.wake(roomOf)
  }

  /** The next one whose turn it is and that is admitted: out of line, and `loading` until the caller says what it is. */
  takeReady(admit: AdmitRequest): TakenRequest | undefined {
    const row = this.#ready.take((lane, next) => admit(lane, this.#deliveries.get(next)))
    if (row === noRow) return undefined
    const delivery = this.#deliveries.get(row)
    if (delivery) this.#retain(row, -1)
    this.#timers.delete(row)
    this.#setStage(row, 'loading')
    return { identity: this.#rows.identityOf(row), lane: this.#lanes.of(row), delivery }
  }

  #enter(delivery: Delivery): number {
    const { identity, priority, expiresAtMs } = delivery.plan
    const destinations = this.#destinationsOf(delivery)
    const source = this.#traffic?.sourceOf(identity) ?? ''
    let row = this.#rows.find(identity)
    if (row === noRow) {
      row = this.#rows.add(identity)
      this.#rows.stage[row] = stages.indexOf('doubt')
      this.#counts[this.#rows.stage[row]!]! += 1
      this.#rows.size[row] = 0
      this.#resize(1, 0)
    } else {
      this.#leave(row)
      this.#timers.delete(row)
      this.#lanes.exit(row)
    }
    this.#lanes.enter(row, priority, source, destinations)
    this.#rows.expiresAtMs[row] = expiresAtMs ?? Infinity
    const size = delivery.payload.length + stateBytes
    this.#resize(0, size - this.#rows.size[row]!)
    this.#rows.size[row] = size
    return row
  }

  /** Only those that a try would be about: the others are settled. */
  #destinationsOf(delivery: Delivery): readonly string[] {
    const traffic = this.#traffic
    if (traffic === undefined) return []
    const pending = pendingTargets(delivery)
    if (pending.length === 1) return [traffic.destinationOf(pending[0]!)]
    return [...new Set(pending.map(traffic.destinationOf))].toSorted()
  }

  #resize(requests: number, bytes: number): void {
    this.#bytes += bytes
    this.#room?.add(requests, bytes)
  }

  #leave(row: number): void {
    if (this.#stageOf(row) !== 'ready') return
    this.#ready.remove(row)
    if (this.#deliveries.has(row)) this.#retain(row, -1)
    this.#setStage(row, 'loading')
  }

  #makeReady(row: number): void {
    this.#retainIfRoom(row)
    this.#setReady(row, false)
  }

  #retainIfRoom(row: number): void {
    const { requests, bytes } = retainedMax
    if (this.#retained >= requests || this.#retainedBytes >= bytes) this.#deliveries.delete(row)
    if (this.#deliveries.has(row)) this.#retain(row, 1)
  }

  /** `by`: 1 or -1. Its size does not change while it is ready. */
  #retain(row: number, by: number): void {
    this.#retained += by
    this.#retainedBytes += by * this.#rows.size[row]!
  }

  #setReady(row: number, isFirst: boolean): void {
    this.#setStage(row, 'ready')
    this.#ready.add(row, isFirst)
    this.#timers.set(row, this.#rows.expiresAtMs[row]!)
  }

  #setStage(row: number, stage: Stage): void {
    const number = stages.indexOf(stage)
    this.#counts[this.#rows.stage[row]!]! -= 1
    this.#counts[number]! += 1
    this.#rows.stage[row] = number
  }

  #stageOf(row: number): Stage {
    return stages[this.#rows.stage[row]!]!
  }
}
