import type { Delivery } from '../../src/effects/delivery.ts'
import type { Lane } from '../../src/effects/lanes.ts'
import { OpenRequests } from '../../src/effects/open-requests.ts'
import type { Permit } from '../../src/effects/permit.ts'
import type { Verdict } from '../../src/effects/ready-lines.ts'
import { SinkSlots } from '../../src/effects/sink-slots.ts'
import { noLimits, type Traffic, type TrafficLimits } from '../../src/effects/traffic.ts'
import { seededRandom } from '../../src/random.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { deliveryOf } from './delivery-fixture.ts'

/** An identity is `source/name`, a target `name@destination`. */
export function trafficOf(limits: Partial<TrafficLimits> = {}): Traffic {
  return {
    sourceOf: identity => identity.split('/')[0]!,
    destinationOf: target => target.split('@')[1]!,
    throttlingOf: reply =>
      reply.startsWith('421') ? 'certain' : reply.startsWith('451') ? 'likely' : null,
    bulkPriority: 2,
    limits: { ...noLimits, ...limits },
  }
}

export interface Begun {
  readonly identity: string
  readonly permit: Permit
  readonly atMs: number
}

/** Tasks that share one sink: what is ready, and who may begin, without engines around it. */
export class TrafficWorld {
  readonly clock = new ManualClock()
  readonly slots: SinkSlots
  readonly tasks: readonly OpenRequests[]
  /** Under way. */
  readonly running: Begun[] = []
  /** All that ever began, in order. */
  readonly begun: string[] = []
  #turn = 0

  constructor(options: { limits?: Partial<TrafficLimits>; slots?: number; tasks?: number } = {}) {
    const { limits, slots = 20, tasks = 1 } = options
    const traffic = trafficOf(limits)
    this.slots = new SinkSlots(slots, this.clock, seededRandom(1), { traffic })
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
    const [ended] = this.running.splice(index, 1)
    ended!.permit.release()
  }

  endAll(): void {
    for (const { permit } of this.running.splice(0)) permit.release()
  }

  get left(): number {
    return this.tasks.reduce((sum, task) => sum + task.readyCount, 0)
  }

  #begin(task: OpenRequests): void {
    const admit = (lane: Lane, delivery: Delivery | undefined): Verdict =>
      this.slots.obstacle(lane) ?? (delivery ? 'begun' : 'taken')
    do {
      task.wakeBlocked(party => this.slots.roomOf(party))
      for (let taken = task.takeReady(admit); taken; taken = task.takeReady(admit)) {
        const { identity, lane, delivery } = taken
        if (delivery) {
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
