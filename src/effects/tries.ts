import assert from 'node:assert/strict'
import type { FailedAttempt } from '../sinks/sink.ts'
import { type Delivery, pendingTargets } from './delivery.ts'
import type { DeliveryEvent } from './delivery-event.ts'
import { isIdle } from './delivery-machine.ts'
import type { Emit, EngineOptions } from './engine-options.ts'
import type { Flight } from './flight.ts'
import type { Flights } from './flights.ts'
import type { OpenRequests } from './open-requests.ts'
import { type Lane, relayHolder } from './lanes.ts'
import { openKey } from './outbox.ts'
import type { OutboxWriter } from './outbox-writer.ts'
import type { Verdict } from './ready-lines.ts'
import { isRepetitionOver } from './repetition.ts'

/** Requests whose bytes are read at a time, and how many bytes; one that is larger is read alone. */
const loadBatch = 64
const loadBytes = 4 * 1024 * 1024
/** That end unsent in one turn: each is written into the cycle. */
const endedMax = 1000

/** A request whose bytes are asked for, and for which time in its life. */
interface Load {
  readonly identity: string
  readonly loads: number | undefined
  readonly bytes: number
}

/** Chooses what is tried next, as room allows, and takes tries back that nobody has seen. */
export class Tries<Request> {
  readonly #options: EngineOptions<Request>
  readonly #open: OpenRequests
  readonly #flights: Flights<Request>
  readonly #writer: OutboxWriter<Request>
  /** Read from the store because their expiry is due. */
  #expiring: string[] = []
  /** Requests whose bytes are being read. */
  #loading = 0
  #loadingBytes = 0
  #epoch = 0
  #failure: Error | undefined

  constructor(
    options: EngineOptions<Request>,
    open: OpenRequests,
    flights: Flights<Request>,
    writer: OutboxWriter<Request>,
  ) {
    this.#options = options
    this.#open = open
    this.#flights = flights
    this.#writer = writer
  }

  /** What is being read from the store is no longer wanted. */
  forget(): void {
    this.#epoch += 1
    this.#expiring = []
    this.#loading = 0
    this.#loadingBytes = 0
    this.#failure = undefined
  }

  start(emit: Emit): void {
    if (this.#failure) throw this.#failure
    const { clock, slots, definition, wake } = this.#options
    const nowMs = clock.nowMs()
    const toLoad = this.#expire(nowMs, emit)
    const admit = (lane: Lane, delivery: Delivery | undefined): Verdict => {
      const obstacle = slots.obstacle(lane)
      if (obstacle !== undefined) return obstacle
      return delivery === undefined || overdueEvent(delivery, nowMs) ? 'taken' : 'begun'
    }
    this.#open.wakeBlocked(holder => slots.roomOf(holder))
    let ended = 0
    const mayLoad = (): boolean =>
      this.#loading + toLoad.length < loadBatch && this.#loadingBytes + bytesOf(toLoad) < loadBytes
    while (mayLoad() && ended < endedMax) {
      const taken = this.#open.takeReady(admit)
      if (taken === undefined) break
      const { identity, lane, delivery } = taken
      const overdue = delivery && overdueEvent(delivery, nowMs)
      if (delivery === undefined) toLoad.push(this.#toLoad(identity))
      else if (overdue) {
        this.#writer.write(delivery, overdue, emit)
        ended += 1
      } else {
        const request = definition.request.deserialize(delivery.payload)
        if (this.#refuse(delivery, request, nowMs, emit)) {
          // Room that it may have been woken for is for others.
          for (const party of lane.parties) this.#open.noteRoom(party)
          if (lane.relay) this.#open.noteRoom(lane.relay)
          ended += 1
          continue
        }
        this.#open.setStage(identity, 'flying')
        this.#open.setFlight(
          identity,
          this.#flights.start(delivery, request, slots.begin(lane, delivery.payload.length)),
        )
        // It may have gone to another relay: the room that it was woken for is for others.
        if (lane.relay && slots.roomOf(lane.relay) > 0) this.#open.noteRoom(lane.relay)
      }
    }
    if (toLoad.length > 0) void this.#load(toLoad)
    else if (this.#open.isUnfinished || ended === endedMax) wake()
  }

  /** True when the application has refused some of its targets: what is left of it is back in line. */
  #refuse(delivery: Delivery, request: Request, nowMs: number, emit: Emit): boolean {
    const { definition, table } = this.#options
    const refused = definition.refusals?.(request, pendingTargets(delivery), table) ?? []
    if (refused.length === 0) return false
    return this.#writer.write(delivery, { kind: 'refused', nowMs, refused }, emit, request)
  }

  /** They end although nobody has room for them. Returns those whose bytes must be read first. */
  #expire(nowMs: number, emit: Emit): Load[] {
    const toLoad: Load[] = []
    // What was read may have been decided by evidence since.
    const loaded = this.#expiring.splice(0).filter(each => this.#open.stage(each) === 'loading')
    const due = this.#open.wakeDue(nowMs, loadBatch, loadBytes)
    for (const each of loaded) due.push(each)
    for (const identity of due) {
      const delivery = this.#open.delivery(identity)
      if (delivery) this.#writer.write(delivery, { kind: 'expired', nowMs }, emit)
      else toLoad.push(this.#toLoad(identity))
    }
    return toLoad
  }

  #toLoad(identity: string): Load {
    this.#open.setStage(identity, 'loading')
    return { identity, loads: this.#open.loads(identity), bytes: this.#open.sizeOf(identity) }
  }

  /** Brings requests back to memory whose turn has come. What has changed meanwhile is newer than what was read. */
  async #load(loads: readonly Load[]): Promise<void> {
    const { store, clock, wake } = this.#options
    const epoch = this.#epoch
    this.#loading += loads.length
    this.#loadingBytes += bytesOf(loads)
    try {
      const deliveries = await store.read(loads.map(({ identity }) => openKey(identity)))
      if (epoch !== this.#epoch) return
      // The last one is put first in line first, so they come in their order.
      for (const [index, load] of [...loads.entries()].toReversed()) {
        const { identity, loads: time } = load
        const delivery = deliveries[index]
        if (this.#open.stage(identity) !== 'loading' || this.#open.loads(identity) !== time)
          continue
        assert(
          delivery !== undefined && isIdle(delivery),
          'what waits for its turn is in the store',
        )
        if (isExpired(delivery, clock.nowMs())) {
          this.#open.retain(identity, delivery)
          this.#expiring.push(identity)
        } else this.#open.makeNext(identity, delivery)
      }
      this.#loading -= loads.length
      this.#loadingBytes -= bytesOf(loads)
    } catch (error) {
      if (epoch === this.#epoch)
        this.#failure = error instanceof Error ? error : new Error(String(error))
    }
    wake()
  }

  /** Everything that is not sealed goes back in line. */
  rest(): void {
    for (const flight of this.#flights.abandonUnsealed()) {
      if (this.#open.flight(flight.identity) !== flight) continue
      this.#open.setFlight(flight.identity, undefined)
      this.#open.makeReady(flight.identity)
    }
  }

  /** Nobody was asked: that costs neither a retry nor a write. While nobody at all can be asked the circuit keeps everybody. */
  putOff(identity: string, { unavailable, retryInMs, noRoomAt }: FailedAttempt): void {
    if (noRoomAt !== undefined) this.#open.waitFor(identity, relayHolder(noRoomAt))
    else if (unavailable || retryInMs === undefined) this.#open.makeReady(identity)
    else this.#open.putOff(identity, this.#options.clock.nowMs() + retryInMs)
  }

  undo(flight: Flight): void {
    this.#flights.abandon(flight)
    const { identity } = flight
    if (this.#open.flight(identity) === flight) this.#open.setFlight(identity, undefined)
  }
}

function bytesOf(loads: readonly Load[]): number {
  return loads.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** What has come to an end by the time alone, and makes a try pointless or wrong. */
export function overdueEvent(delivery: Delivery, nowMs: number): DeliveryEvent | null {
  if (isExpired(delivery, nowMs)) return { kind: 'expired', nowMs }
  return isRepetitionOver(delivery, nowMs) ? { kind: 'repetition-over', nowMs } : null
}

function isExpired({ plan }: Delivery, nowMs: number): boolean {
  return plan.expiresAtMs !== null && nowMs >= plan.expiresAtMs
}
