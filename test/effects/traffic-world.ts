import type { Delivery } from '../../src/effects/delivery.ts'
import type { Lane } from '../../src/effects/lanes.ts'
import { OpenRequests } from '../../src/effects/open-requests.ts'
import type { Permit } from '../../src/effects/permit.ts'
import type { Verdict } from '../../src/effects/ready-lines.ts'
import { SinkSlots } from '../../src/effects/sink-slots.ts'
import { noLimits, type Traffic, type TrafficLimits } from '../../src/effects/traffic.ts'
import { seededRandom } from '../../src/random.ts'
import type { RelayRooms } from '../../src/sinks/sink.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { deliveryOf } from './delivery-fixture.ts'

/** An identity is `source/name`, a target `name@destination`. */
export function trafficOf(limits: Partial<TrafficLimits> = {}): Traffic {
  return {
    sourceOf: identity => identity.split('/')[0]!,
    destinationOf: target => target.split('@')[1]!,
    bulkPriority: 2,
    limits: { ...noLimits, ...limits },
  }
}

export interface Begun {
  readonly identity: string
  readonly permit: Permit
  readonly atMs: number
}

/** Relays with room for so many tries at once. A request goes to the one that its identity names behind a tilde. */
export class WorldRooms implements RelayRooms {
  readonly #capacities: ReadonlyMap<string, number>
  readonly #used = new Map<string, number>()
  #listener: (relay: string) => void = () => undefined

  constructor(capacities: Readonly<Record<string, number>>) {
    this.#capacities = new Map(Object.entries(capacities))
  }

  get hasRoom(): boolean {
    return [...this.#capacities.keys()].some(relay => this.roomAt(relay) > 0)
  }

  used(relay: string): number {
    return this.#used.get(relay) ?? 0
  }

  roomAt(relay: string): number {
    return (this.#capacities.get(relay) ?? 0) - this.used(relay)
  }

  onRoom(listener: (relay: string) => void): void {
    this.#listener = listener
  }

  enter(relay: string): void {
    this.#used.set(relay, this.used(relay) + 1)
  }

  leave(relay: string): void {
    this.#used.set(relay, this.used(relay) - 1)
    this.#listener(relay)
  }
}

/** Tasks that share one sink: what is ready, and who may begin, without engines around it. */
export class TrafficWorld {
  readonly clock = new ManualClock()
  readonly slots: SinkSlots
  readonly rooms: WorldRooms | undefined
  /** How often the bytes of a request were looked at because its relay was not known. */
  asked = 0
  readonly tasks: readonly OpenRequests[]
  /** Under way. */
  readonly running: Begun[] = []
  /** All that ever began, in order. */
  readonly begun: string[] = []
  #turn = 0

  constructor(
    options: {
      limits?: Partial<TrafficLimits>
      slots?: number
      tasks?: number
      relays?: Readonly<Record<string, number>>
    } = {},
  ) {
    const { limits, slots = 20, tasks = 1, relays } = options
    const traffic = trafficOf(limits)
    const rooms = relays && new WorldRooms(relays)
    this.rooms = rooms
    this.slots = new SinkSlots(slots, this.clock, seededRandom(1), { traffic, rooms })
    this.tasks = Array.from({ length: tasks }, () => new OpenRequests(traffic))
    for (const task of this.tasks) this.slots.onRoom(party => task.noteRoom(party))
  }

  /** @param name `source/name@destination,destination` */
  publish(name: string, priority = 1, task = 0): void {
    const [identity, destinations] = name.split('@') as [string, string]
    const targets = destinations.split(',').map(each => `x@${each}`)
    this.tasks[task]!.place(deliveryOf({ identity, targets, priority }))
  }

  publishMany(count: number, prefix: string, destination: string, priority = 1): void {
    for (let index = 0; index < count; index += 1)
      this.publish(`${prefix}${index}@${destination}`, priority)
  }

  /** One turn of the loop: each task begins what it may, another one first every time. Returns what began. */
  turn(): string[] {
    const before = this.begun.length
    this.#turn += 1
    for (let index = 0; index < this.tasks.length; index += 1)
      this.#begin(this.tasks[(index + this.#turn) % this.tasks.length]!)
    return this.begun.slice(before)
  }

  /** The oldest try of the request is over. */
  end(identity: string): void {
    const index = this.running.findIndex(each => each.identity === identity)
    for (const ended of this.running.splice(index, 1)) this.#end(ended)
  }

  endAll(): void {
    for (const ended of this.running.splice(0)) this.#end(ended)
  }

  #end({ identity, permit }: Begun): void {
    this.rooms?.leave(relayOf(identity))
    permit.release()
  }

  get left(): number {
    return this.tasks.reduce((sum, task) => sum + task.readyCount, 0)
  }

  #begin(task: OpenRequests): void {
    const admit = (lane: Lane, delivery: Delivery | undefined): Verdict =>
      this.slots.obstacle(lane) ?? (delivery ? 'begun' : 'taken')
    let rounds = 0
    do {
      if ((rounds += 1) > 1000) throw new Error('it begins again and again')
      task.wakeBlocked(party => this.slots.roomOf(party))
      for (let taken = task.takeReady(admit); taken; taken = task.takeReady(admit)) {
        const { identity, lane, delivery } = taken
        if (delivery && this.rooms?.roomAt(relayOf(identity)) === 0) {
          this.asked += 1
          this.slots.begin(lane).release(true)
          task.waitFor(identity, `relay ${relayOf(identity)}`)
        } else if (delivery) {
          this.rooms?.enter(relayOf(identity))
          const atMs = this.clock.monotonicMs()
          this.running.push({ identity, permit: this.slots.begin(lane), atMs })
          this.begun.push(identity)
          task.delete(identity)
        } else {
          const destination = lane.parties.find(each => each.startsWith('destination'))
          const targets = [`x@${destination!.split(' ')[1]}`]
          const { priority } = lane
          task.makeNext(identity, deliveryOf({ identity, targets, priority }))
        }
      }
    } while (task.isUnfinished)
  }
}

const relayOf = (identity: string): string => identity.split('~')[1] ?? ''
