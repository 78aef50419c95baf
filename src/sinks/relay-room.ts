import type { Cancel, Clock } from '../clock.ts'
import { Pace } from '../pace.ts'
import { Restraint } from '../restraint.ts'

export interface RoomOptions {
  readonly clock: Clock
  /** Tries at once: a few more than connections, so that none of these idles. */
  readonly capacity: number
  /** Of all instances together; Infinity: no limit. */
  readonly perSecond: number
  /** Whether the relay gets less for a while when it asks for less. */
  readonly isAdaptive: boolean
  /** It gets less from now on, with the reply that asked for it, or, with null, as much as before. */
  readonly onRestraint: (room: RelayRoom, reply: string | null) => void
  /** Whoever has found it full may look again. */
  readonly onRoom: () => void
}

/** How many tries one relay takes, at once and a second: what is configured, and no more than it has shown to take. */
export class RelayRoom {
  readonly #options: RoomOptions
  readonly #pace = new Pace()
  /** Its rate is that of all instances together, as the configured one. */
  readonly #restraint = new Restraint()
  #inFlight = 0
  #share = 1
  #isAwaited = false
  #cancelTimer: Cancel | undefined

  constructor(options: RoomOptions) {
    this.#options = options
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Tries at once that it gets now. */
  get connections(): number {
    return Math.min(this.#options.capacity, this.#restraint.connections)
  }

  /** Tries a second that it gets now from this instance; Infinity where nothing limits them. */
  get perSecond(): number {
    return Math.min(this.#options.perSecond, this.#restraint.perSecond) * this.#share
  }

  /** Tries that may begin now. Whoever finds none is told when there may be some. */
  get free(): number {
    const places = this.connections - this.#inFlight
    const free = places <= 0 ? 0 : Math.min(places, this.#pace.room(this.#nowMs, this.perSecond))
    if (free === 0) this.#await()
    return free
  }

  setShare(share: number): void {
    this.#share = share
    this.tell()
  }

  /** A try begins. */
  enter(): { readonly beganMs: number; readonly leave: () => void } {
    const beganMs = this.#nowMs
    this.#pace.begin(beganMs, this.perSecond)
    this.#inFlight += 1
    let isInside = true
    const leave = (): void => {
      if (!isInside) return
      isInside = false
      this.#inFlight -= 1
      this.tell()
    }
    return { beganMs, leave }
  }

  /** A try came to nothing, and counts for nothing. */
  takeBack(): void {
    this.#pace.takeBack(this.perSecond)
  }

  /** A try that began then was asked for less, or may have been. */
  complain(
    beganMs: number,
    { isCertain, reply }: { readonly isCertain: boolean; readonly reply: string },
  ): void {
    const { isAdaptive, perSecond, onRestraint } = this.#options
    if (!isAdaptive) return
    const nowMs = this.#nowMs
    const measured = this.#pace.measured(nowMs) / this.#share
    const taken = { perSecond: measured, connections: this.#inFlight }
    const getsLess = this.#restraint.complain({ beganMs, nowMs, isCertain }, taken, { perSecond })
    if (getsLess) onRestraint(this, reply)
  }

  /** A try that began then was taken without complaint. */
  welcome(beganMs: number): void {
    if (this.#restraint.welcome(beganMs, this.#nowMs)) this.#options.onRestraint(this, null)
  }

  /** There may be room: whoever has found none looks again. */
  tell(): void {
    if (!this.#isAwaited) return
    this.#isAwaited = false
    this.#options.onRoom()
  }

  /** No timer is left behind. */
  close(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  /** Where its rate holds it back nothing else will happen that would tell. */
  #await(): void {
    this.#isAwaited = true
    const waitMs = this.#pace.waitMs(this.#nowMs, this.perSecond)
    if (waitMs === 0 || this.#cancelTimer !== undefined) return
    this.#cancelTimer = this.#options.clock.schedule(waitMs, () => {
      this.#cancelTimer = undefined
      this.tell()
    })
  }
}
