import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

/** The requests of the protocol, as far as they can fail differently. */
export type RequestName =
  | 'fetch'
  | 'init-producer'
  | 'produce'
  | 'commit-offsets'
  | 'end-transaction'
  | 'join-group'
  | 'sync-group'
  | 'heartbeat'
  | 'leave-group'
  | 'admin'
  | 'fetch-offsets'

/** One request on its way. `target` is who has to be there: `topic/partition`, `group NAME`, `transaction ID` or `cluster`. */
export interface RequestInfo {
  readonly name: RequestName
  readonly target: string
  /** Id of the process that sends it. */
  readonly process: string
}

/** What becomes of one request. `lost-request`: it was never executed; `lost-reply`: it was, and nobody heard; slow ones come late. */
export type Fate =
  | { readonly kind: 'delivered' | 'lost-request' | 'lost-reply' }
  | { readonly kind: 'slow-request' | 'slow-reply'; readonly delayMs: number }

/** Shares of all requests, 0 to 1 each, 1 together at most. */
export interface FaultRates {
  readonly lostRequest: number
  readonly lostReply: number
  readonly slowRequest: number
  readonly slowReply: number
  /** Slow ones take up to this much longer, milliseconds. */
  readonly slowMsMax: number
}

export const noFaults: FaultRates = Object.freeze({
  lostRequest: 0,
  lostReply: 0,
  slowRequest: 0,
  slowReply: 0,
  slowMsMax: 0,
})

interface ScriptedFault {
  readonly matches: (request: RequestInfo) => boolean
  readonly fate: Fate
  times: number
}

const delivered: Fate = Object.freeze({ kind: 'delivered' })

/** Decides the fate of every request: first by the script of the test, else by chance. */
export class FaultInjector {
  readonly #clock: Clock
  readonly #random: Random
  readonly #script: ScriptedFault[] = []
  readonly #outages = new Map<string, number>()
  /** May be changed at any time: a test that wants to see the end of a run sets it back to `noFaults`. */
  rates: FaultRates

  constructor(clock: Clock, random: Random, rates: FaultRates) {
    this.#clock = clock
    this.#random = random
    this.rates = rates
  }

  /** The next `times` requests that match have this fate. */
  script(matches: Partial<RequestInfo>, fate: Fate, times = 1): void {
    this.#script.push({
      matches: request =>
        (matches.name ?? request.name) === request.name &&
        (matches.target ?? request.target) === request.target &&
        (matches.process ?? request.process) === request.process,
      fate,
      times,
    })
  }

  /** Nobody answers for the target (`topic/partition`, `group NAME`, `transaction ID`, or `*`: for nothing) for so long: its broker is gone or its leader moves. */
  outage(target: string, durationMs: number): void {
    this.#outages.set(target, this.#clock.monotonicMs() + durationMs)
  }

  /** Milliseconds until somebody answers for the target again; 0 now. */
  unavailableForMs(target: string): number {
    const untilMs = Math.max(this.#outages.get(target) ?? 0, this.#outages.get('*') ?? 0)
    return Math.max(0, untilMs - this.#clock.monotonicMs())
  }

  decide(request: RequestInfo): Fate {
    const index = this.#script.findIndex(fault => fault.matches(request))
    const scripted = this.#script[index]
    if (scripted === undefined) return this.#draw()
    scripted.times -= 1
    if (scripted.times === 0) this.#script.splice(index, 1)
    return scripted.fate
  }

  #draw(): Fate {
    const { lostRequest, lostReply, slowRequest, slowReply, slowMsMax } = this.rates
    const drawn = this.#random.next()
    if (drawn < lostRequest) return { kind: 'lost-request' }
    if (drawn < lostRequest + lostReply) return { kind: 'lost-reply' }
    const delayMs = (): number => this.#random.next() * slowMsMax
    if (drawn < lostRequest + lostReply + slowRequest)
      return { kind: 'slow-request', delayMs: delayMs() }
    if (drawn < lostRequest + lostReply + slowRequest + slowReply)
      return { kind: 'slow-reply', delayMs: delayMs() }
    return delivered
  }
}
