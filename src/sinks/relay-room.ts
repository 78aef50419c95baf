import type { Cancel, Clock } from '../clock.ts'
import { Pace } from '../pace.ts'
import { Restraint } from '../restraint.ts'

/** However little the relay wants, each instance tries something: only so it is learnt that more is welcome again. */
const perSecondMin = 0.1
/** A relay that says nothing after the dot for so long, milliseconds, hangs: that is no load, and may last 10 minutes. */
const hangingMs = 10_000

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
  /** Whoever waits for room may look again. */
  readonly onRoom: () => void
}

/** A try that has begun. */
export interface Entry {
  readonly beganMs: number
  /** It is not over. */
  isInside: boolean
}

/** How many tries one relay takes, at once and a second: what is configured, and no more than it has shown to take. */
export class RelayRoom {
  readonly #options: RoomOptions
  readonly #pace = new Pace()
  /** Its rate is that of all instances together, as the configured one. */
  readonly #restraint = new Restraint()
  /** Whose dot is written, by when it hangs: the oldest first. */
  readonly #dotted = new Map<Entry, number>()
  #inFlight = 0
  #share = 1
  #cancelTimer: Cancel = () => undefined
  /** When the timer is due. */
  #tellsAtMs = Infinity

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
    const learnt = Math.max(perSecondMin, this.#restraint.perSecond * this.#share)
    return Math.min(this.#options.perSecond * this.#share, learnt)
  }

  /** Tries that may begin now. Whoever finds none is told when there may be some. */
  get free(): number {
    const busy = this.#inFlight - this.#hanging
    const { capacity } = this.#options
    const places = Math.min(capacity - this.#inFlight, this.#restraint.connections - busy)
    const free = places <= 0 ? 0 : Math.min(places, this.#pace.room(this.#nowMs, this.perSecond))
    if (free === 0) this.#await()
    return free
  }

  setShare(share: number): void {
    this.#share = share
    this.tell()
  }

  /** A try begins. */
  enter(): Entry {
    const beganMs = this.#nowMs
    this.#pace.begin(beganMs, this.perSecond)
    this.#inFlight += 1
    return { beganMs, isInside: true }
  }

  /** Its final dot is being written, unless the try is over: one whose connection was lost at its gate is performed all the same. */
  dotted(entry: Entry): void {
    if (!entry.isInside) return
    this.#dotted.set(entry, this.#nowMs + hangingMs)
    this.#tellIn(this.#hangsInMs)
  }

  /** It is over; a second call does nothing. */
  leave(entry: Entry): void {
    if (!entry.isInside) return
    entry.isInside = false
    this.#inFlight -= 1
    this.#dotted.delete(entry)
    this.tell()
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
    this.#tellIn(this.#hangsInMs)
  }

  /** A try that began then was taken without complaint. */
  welcome(beganMs: number): void {
    const wasHeldBack = this.#restraint.share !== undefined
    if (this.#restraint.welcome(beganMs, this.#nowMs)) this.#options.onRestraint(this, null)
    // Whoever looked when its own place became free may have seen less room than there is now.
    if (wasHeldBack) this.tell()
  }

  /** There may be room. Also where nobody has looked since the last time: of those who waited then perhaps only some found any. */
  tell(): void {
    this.#options.onRoom()
  }

  /** No timer is left behind, and none is set by answers that still come. */
  close(): void {
    this.#cancelTimer()
    this.#tellsAtMs = -Infinity
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  /** Tries that are no load any more; nobody asks where the relay gets all that is configured. */
  get #hanging(): number {
    if (this.#restraint.share === undefined) return 0
    let hanging = 0
    for (const hangsAtMs of this.#dotted.values()) {
      if (hangsAtMs > this.#nowMs) break
      hanging += 1
    }
    return hanging
  }

  /** Where its rate holds it back nothing else will happen that would tell. */
  #await(): void {
    const paceMs = this.#pace.waitMs(this.#nowMs, this.perSecond)
    if (paceMs > 0) this.#tellIn(paceMs)
  }

  /** Nor where dots come to hang: while it is held back each of them is told of, whoever has looked before. */
  #tellIn(waitMs = Infinity): void {
    const atMs = this.#nowMs + waitMs
    if (atMs >= this.#tellsAtMs) return
    this.#cancelTimer()
    this.#tellsAtMs = atMs
    this.#cancelTimer = this.#options.clock.schedule(waitMs, () => {
      this.#tellsAtMs = Infinity
      this.tell()
      this.#tellIn(this.#hangsInMs)
    })
  }

  /** Until one more hangs, whole milliseconds: a fraction might be waited for again and again at the same time. */
  get #hangsInMs(): number | undefined {
    if (this.#restraint.share === undefined) return undefined
    for (const hangsAtMs of this.#dotted.values()) {
      const leftMs = Math.ceil(hangsAtMs - this.#nowMs)
      if (leftMs > 0) return leftMs
    }
    return undefined
  }
}
