import assert from 'node:assert/strict'
import type { FailedAttempt } from '../sinks/sink.ts'
import { type Delivery, pendingTargets } from './delivery.ts'
import { isIdle } from './delivery-machine.ts'
import type { Emit, EngineOptions } from './engine-options.ts'
import type { Flight } from './flight.ts'
import type { Flights } from './flights.ts'
import type { OpenRequest, OpenRequests } from './open-requests.ts'
import { openKey } from './outbox.ts'
import type { OutboxWriter } from './outbox-writer.ts'

const loadBatch = 64

/** A request whose bytes are asked for, and for which time in its life. */
interface Load {
  readonly identity: string
  readonly loads: number
}

/** Chooses what is tried next, as room allows, and takes tries back that nobody has seen. */
export class Tries<Request> {
  readonly #options: EngineOptions<Request>
  readonly #open: OpenRequests
  readonly #flights: Flights<Request>
  readonly #writer: OutboxWriter<Request>
  /** Read from the store because their expiry is due. */
  #expiring: OpenRequest[] = []
  /** Requests whose bytes are being read. */
  #loading = 0
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
    this.#failure = undefined
  }

  start(emit: Emit): void {
    if (this.#failure) throw this.#failure
    const { clock, slots, definition } = this.#options
    const nowMs = clock.nowMs()
    const toLoad = this.#expire(nowMs, emit)
    const hasRoom = (): boolean => this.#loading + toLoad.length < loadBatch
    while (this.#open.readyCount > 0 && hasRoom() && slots.tryAcquire()) {
      const open = this.#open.takeReady()
      const delivery = open?.delivery
      if (open && delivery && !isExpired(delivery, nowMs)) {
        const request = definition.request.deserialize(delivery.payload)
        if (!this.#refuse(delivery, request, nowMs, emit)) {
          this.#open.setStage(open, 'flying')
          open.flight = this.#flights.start(delivery, request)
          continue
        }
      }
      slots.inconclusive()
      slots.release()
      if (open === undefined) break
      if (delivery && !isExpired(delivery, nowMs)) continue
      if (delivery) this.#writer.write(delivery, { kind: 'expired', nowMs }, emit)
      else toLoad.push(this.#toLoad(open))
    }
    if (toLoad.length > 0) void this.#load(toLoad)
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
    const loaded = this.#expiring.splice(0).filter(open => this.#isLoading(open))
    for (const open of [...this.#open.wakeDue(nowMs, loadBatch), ...loaded])
      if (open.delivery) this.#writer.write(open.delivery, { kind: 'expired', nowMs }, emit)
      else toLoad.push(this.#toLoad(open))
    return toLoad
  }

  #isLoading(open: OpenRequest): boolean {
    return open.stage === 'loading' && this.#open.get(open.identity) === open
  }

  #toLoad(open: OpenRequest): Load {
    this.#open.setStage(open, 'loading')
    return { identity: open.identity, loads: open.loads }
  }

  /** Brings requests back to memory whose turn has come. What has changed meanwhile is newer than what was read. */
  async #load(loads: readonly Load[]): Promise<void> {
    const { store, clock, wake } = this.#options
    const epoch = this.#epoch
    this.#loading += loads.length
    try {
      const deliveries = await store.read(loads.map(({ identity }) => openKey(identity)))
      if (epoch !== this.#epoch) return
      // The last one is put first in line first, so they come in their order.
      for (const [index, load] of [...loads.entries()].toReversed()) {
        const open = this.#open.get(load.identity)
        const delivery = deliveries[index]
        if (open?.stage !== 'loading' || open.loads !== load.loads) continue
        assert(
          delivery !== undefined && isIdle(delivery),
          'what waits for its turn is in the store',
        )
        if (isExpired(delivery, clock.nowMs())) {
          open.delivery = delivery
          this.#expiring.push(open)
        } else this.#open.makeNext(open, delivery)
      }
      this.#loading -= loads.length
    } catch (error) {
      if (epoch === this.#epoch)
        this.#failure = error instanceof Error ? error : new Error(String(error))
    }
    wake()
  }

  /** Everything that is not sealed goes back in line. */
  rest(): void {
    for (const flight of this.#flights.abandonUnsealed()) {
      const open = this.#open.get(flight.identity)
      if (open?.flight !== flight) continue
      open.flight = undefined
      this.#open.makeReady(open)
    }
  }

  /** Nobody was asked: that costs neither a retry nor a write. While nobody at all can be asked the circuit keeps everybody. */
  putOff(open: OpenRequest, { unavailable, retryInMs }: FailedAttempt): void {
    if (unavailable || retryInMs === undefined) this.#open.makeReady(open)
    else this.#open.putOff(open, this.#options.clock.nowMs() + retryInMs)
  }

  undo(flight: Flight): void {
    this.#flights.abandon(flight)
    const open = this.#open.get(flight.identity)
    if (open?.flight === flight) open.flight = undefined
  }
}

export function isExpired({ plan }: Delivery, nowMs: number): boolean {
  return plan.expiresAtMs !== null && nowMs >= plan.expiresAtMs
}
