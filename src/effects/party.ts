import { Pace } from '../pace.ts'
import { Restraint } from '../restraint.ts'
import type { Permit } from './permit.ts'
import type { Limit } from './traffic.ts'

/** A party whose tries take longer than this, and twice as long as others do, is slow. Milliseconds. */
const slowMs = 1000
/** Weight of the latest duration in the mean. */
const weight = 1 / 8

/** What all parties of an instance depend on. Monotonic milliseconds. */
export interface Surroundings {
  readonly nowMs: number
  /** Of the limits, what this instance may use: above 0, at most 1. */
  readonly share: number
  /** Tries of the sink at once. */
  readonly slots: number
  /** How long a try takes that goes well, whosever it is. */
  readonly usualMs: number
}

/** A source or a destination: what it has under way, and how much more it may. */
export class Party {
  readonly #limit: Limit
  readonly #pace = new Pace()
  /** The oldest first. */
  readonly #running = new Set<Permit>()
  /** How long its tries take. */
  #meanMs = 0
  readonly restraint = new Restraint()

  constructor(limit: Limit) {
    this.#limit = limit
  }

  get running(): number {
    return this.#running.size
  }

  /** Tries that may begin now. */
  room(at: Surroundings): number {
    const free = this.#connections(at) - this.running
    return free <= 0 ? 0 : Math.min(free, this.#pace.room(at.nowMs, this.#perSecond(at)))
  }

  /** Milliseconds until its rate allows one more; 0 when it is not the rate that holds it back. */
  paceWaitMs(at: Surroundings): number {
    return this.#pace.waitMs(at.nowMs, this.#perSecond(at))
  }

  begin(permit: Permit, at: Surroundings): void {
    this.#running.add(permit)
    this.#pace.begin(at.nowMs, this.#perSecond(at))
  }

  /** `isUnused`: it comes to nothing, and counts for nothing. */
  end(permit: Permit, at: Surroundings, isUnused: boolean): void {
    if (!this.#running.delete(permit)) return
    if (isUnused) {
      this.#pace.takeBack(this.#perSecond(at))
      return
    }
    const tookMs = at.nowMs - permit.beganMs
    this.#meanMs += (tookMs - this.#meanMs) * (this.#meanMs === 0 ? 1 : weight)
  }

  /** It asked for less, or may have. True when it gets less from now on. */
  complain(beganMs: number, isCertain: boolean, at: Surroundings): boolean {
    const { nowMs } = at
    const taken = { perSecond: this.#pace.measured(nowMs), connections: this.running }
    const limit = { perSecond: this.#limitPerSecond(at) }
    return this.restraint.complain({ beganMs, nowMs, isCertain }, taken, limit)
  }

  /** Nothing would be lost by forgetting it. */
  isIdle(at: Surroundings): boolean {
    const isFree = this.running === 0 && this.restraint.share === undefined
    return isFree && this.paceWaitMs(at) === 0
  }

  /** The last connection of many is nobody's alone; one that is slow leaves half of them to others. */
  #connections(at: Surroundings): number {
    const { slots, share } = at
    const half = Math.ceil(slots / 2)
    const isSlow = this.running >= half && this.#isSlow(at)
    const most = isSlow ? half : slots < 10 ? slots : slots - 1
    const limit = this.#limit.connections
    const limited = limit === undefined ? Infinity : Math.max(1, Math.floor(limit * share))
    return Math.min(most, limited, this.restraint.connections)
  }

  #isSlow({ nowMs, usualMs, slots }: Surroundings): boolean {
    if (slots < 4) return false
    const [oldest] = this.#running
    const takesMs = Math.max(this.#meanMs, nowMs - (oldest?.beganMs ?? nowMs))
    return takesMs > slowMs && takesMs > 2 * usualMs
  }

  #perSecond(at: Surroundings): number {
    return Math.min(this.#limitPerSecond(at), this.restraint.perSecond)
  }

  #limitPerSecond({ share }: Surroundings): number {
    return (this.#limit.perSecond ?? Infinity) * share
  }
}
