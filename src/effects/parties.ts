import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { PartyName } from './lanes.ts'
import { Party, type Surroundings } from './party.ts'
import type { AnyParty, Complaint, Permit } from './permit.ts'
import type { Limit, TrafficLimits } from './traffic.ts'

/** Beyond so many, those that are idle are forgotten. */
const partiesMax = 10_000

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

interface PartiesOptions {
  readonly clock: Clock
  /** Tries of the sink at once. */
  readonly slots: number
  readonly limits: TrafficLimits
  readonly log: Logger
}

/** How much each source, each destination and the sink have under way, and how much more they may. */
export class Parties {
  readonly #options: PartiesOptions
  readonly #sink: Party
  readonly #all = new Map<PartyName, Party>()
  #usualMs: number | undefined
  #share = 1
  /** Of all parties but the sink, and of the sink: brought up to date each time, and kept by nobody. */
  readonly #around: Writable<Surroundings>
  readonly #aroundSink: Writable<Surroundings>

  constructor(options: PartiesOptions) {
    this.#options = options
    this.#sink = new Party(options.limits.sink)
    this.#around = { nowMs: 0, share: 1, slots: options.slots, usualMs: 0 }
    // It has all its slots for itself.
    this.#aroundSink = { ...this.#around, slots: Infinity }
  }

  /** Those who asked for less, and the share of their traffic that they get. */
  get throttled(): ReadonlyMap<PartyName, number> {
    const shares = new Map<PartyName, number>()
    for (const [name, { restraint }] of this.#all)
      if (restraint.share !== undefined) shares.set(name, restraint.share)
    return shares
  }

  get names(): Iterable<PartyName> {
    return this.#all.keys()
  }

  setShare(share: number): void {
    this.#share = share
  }

  room(name: AnyParty): number {
    return this.#of(name).room(this.#at(name))
  }

  /** Milliseconds until the party's rate allows one more; 0 when it is not its rate that holds it back. */
  paceWaitMs(name: AnyParty): number {
    return this.#of(name).paceWaitMs(this.#at(name))
  }

  begin(permit: Permit): void {
    this.#sink.begin(permit, this.#at('sink'))
    const at = this.#at()
    for (const name of permit.parties) this.#of(name).begin(permit, at)
    if (this.#all.size > partiesMax) this.#forgetIdle()
  }

  end(permit: Permit, isUnused: boolean): void {
    const at = this.#at()
    if (!isUnused) this.#learnUsual(at.nowMs - permit.beganMs)
    this.#sink.end(permit, at, isUnused)
    for (const name of permit.parties) this.#of(name).end(permit, at, isUnused)
  }

  complain(name: PartyName, { beganMs }: Permit, { isCertain, reply }: Complaint): void {
    if (!this.#options.limits.isAdaptive) return
    const party = this.#of(name)
    if (!party.complain(beganMs, isCertain, this.#at())) return
    const { share, perSecond, connections } = party.restraint
    this.#options.log.warn(
      { event: 'throttled', party: name, share, perSecond, connections, reply },
      `${name} asks for less: it gets ${perSecond.toFixed(1)} messages a second and ${connections} connections at most`,
    )
  }

  /** The try succeeded. */
  welcome(permit: Permit): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const name of permit.parties) this.#welcome(name, permit, nowMs)
  }

  #welcome(name: PartyName, { beganMs }: Permit, nowMs: number): void {
    if (!this.#of(name).restraint.welcome(beganMs, nowMs)) return
    this.#options.log.info({ event: 'unthrottled', party: name }, `${name} gets as much as before`)
  }

  /** Quick tries say what is usual, slow ones only in the long run: else a slow party would be the measure of itself. */
  #learnUsual(tookMs: number): void {
    this.#usualMs ??= tookMs
    this.#usualMs += (tookMs - this.#usualMs) / (tookMs < this.#usualMs ? 4 : 64)
  }

  /** The first of them that has no room. */
  obstacle(parties: readonly PartyName[]): PartyName | undefined {
    const at = this.#at()
    for (let index = 0; index < parties.length; index += 1)
      if (this.#of(parties[index]!).room(at) === 0) return parties[index]
    return undefined
  }

  #of(name: AnyParty): Party {
    if (name === 'sink') return this.#sink
    let party = this.#all.get(name)
    if (party === undefined) this.#all.set(name, (party = new Party(this.#limitOf(name))))
    return party
  }

  #limitOf(name: PartyName): Limit {
    const { source, sources, destination, destinations } = this.#options.limits
    const at = name.indexOf(' ') + 1
    const own = name.slice(at)
    return name.startsWith('source ')
      ? (sources.get(own) ?? source)
      : (destinations.get(own) ?? destination)
  }

  #at(name?: AnyParty): Surroundings {
    const at = name === 'sink' ? this.#aroundSink : this.#around
    at.nowMs = this.#options.clock.monotonicMs()
    at.share = this.#share
    at.usualMs = this.#usualMs ?? 0
    return at
  }

  #forgetIdle(): void {
    for (const [name, party] of this.#all) if (party.isIdle(this.#at(name))) this.#all.delete(name)
  }
}
