import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { MetricRegistry } from '../metrics.ts'
import type { Random } from '../random.ts'
import type { MailRequest } from './mail-request.ts'
import { messageId } from './message-id.ts'
import type { Relay } from './relay.ts'
import { byPreference, candidatesFor, takeTag } from './relay-choice.ts'
import { checkRelays } from './check-relays.ts'
import { RelayLane } from './relay-lane.ts'
import { RelayMetrics } from './relay-metrics.ts'
import type { RelayRoom } from './relay-room.ts'
import { LaneRooms } from './relay-rooms.ts'
import type { FailedAttempt, Outcome, PreparedAttempt, Sink, SinkAttempt } from './sink.ts'

/** How often a mail in doubt asks for a relay that is not configured any more, milliseconds. */
const strangerRetryMs = 30_000

export interface RelayRouterOptions {
  /** At least one that takes all mails; names and addresses differ. */
  readonly relays: readonly Relay[]
  /** The sender of requests that name none. */
  readonly from: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics?: MetricRegistry
  /** Whether a relay that asks for less gets less for a while. @default true */
  readonly isAdaptive?: boolean
}

/**
 * Gives each mail to one of several relays: by its tag or its sender, then by weight, the same one on each try while that is in reach.
 * One that is not is left out until a probe reaches it. Another relay is asked only before the final dot, and never for a mail that is
 * in doubt: that one waits for its own.
 */
export class RelayRouter implements Sink<MailRequest> {
  readonly concurrencyMax: number
  readonly rooms: LaneRooms
  readonly #options: RelayRouterOptions
  /** By the relay's name. */
  readonly #lanes: ReadonlyMap<string, RelayLane>
  readonly #strangers = new Set<string>()

  /** Throws CONFIGURATION_INVALID. */
  constructor(options: RelayRouterOptions) {
    const { relays, metrics = new MetricRegistry() } = options
    checkRelays(relays)
    this.#options = options
    this.#lanes = this.#openLanes(new RelayMetrics(metrics))
    this.rooms = new LaneRooms(this.#lanes)
    this.concurrencyMax = relays.reduce((sum, relay) => sum + this.#capacityOf(relay), 0)
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { tag, request } = takeTag(attempt.request)
    const untagged = tag === null ? attempt : { ...attempt, request }
    const relays = this.#relaysFor(attempt, tag)
    let failure: FailedAttempt | undefined
    for (const { name } of relays) {
      const result = await this.#laneOf(name).prepare(untagged, signal)
      // One that is full is worth waiting for: else the weights would not hold under load.
      if (result === 'full') return { ...this.#nobody(attempt), noRoomAt: name }
      if (result === 'closed') continue
      if (result.kind === 'prepared' || !result.unavailable || signal.aborted) return result
      failure = result
    }
    if (relays.length === 0) this.#warnOfStranger(attempt.onlyRelay)
    return { ...(failure ?? this.#nobody(attempt)), ...this.#outlook(relays) }
  }

  setShare(share: number): void {
    for (const { room } of this.#lanes.values()) room.setShare(share)
  }

  async close(): Promise<void> {
    for (const { room } of this.#lanes.values()) room.close()
    await Promise.all(this.#options.relays.map(({ sink }) => sink.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #openLanes(metrics: RelayMetrics): ReadonlyMap<string, RelayLane> {
    const { relays, clock, random, log, isAdaptive = true } = this.#options
    const entries = relays.map((relay): readonly [string, RelayLane] => {
      const { name, address } = relay
      const lane = new RelayLane(relay, {
        clock,
        random,
        capacity: this.#capacityOf(relay),
        isAdaptive,
        onResult: metrics.triesAt(name),
        withOutlook: outcome => this.#withOutlook(outcome),
        onRoom: () => this.rooms.tell(name),
        onRestraint: (room, reply) => this.#tellRestraint(name, room, reply),
        onCircuit: state => {
          const fields = { event: 'relay-circuit', relay: name, address, state }
          if (state === 'open') log.warn(fields, `the relay ${name} is out of reach`)
          else log.info(fields)
        },
      })
      metrics.watch(name, lane)
      return [name, lane]
    })
    return new Map(entries)
  }

  /** With one relay there is nobody whose room it could take; of several each has a few tries more than connections, so that none of these idles. */
  #capacityOf({ sink }: Relay): number {
    return this.#options.relays.length === 1 ? sink.concurrencyMax : 2 * sink.concurrencyMax
  }

  #tellRestraint(relay: string, room: RelayRoom, reply: string | null): void {
    const { log } = this.#options
    if (reply === null) {
      log.info({ event: 'unthrottled', relay }, `the relay ${relay} gets as much as before`)
      return
    }
    const { perSecond, connections } = room
    log.warn(
      { event: 'throttled', relay, perSecond, connections, reply },
      `the relay ${relay} asks for less: it gets ${perSecond.toFixed(1)} messages a second and ${connections} at once at most`,
    )
  }

  #relaysFor(attempt: SinkAttempt<MailRequest>, tag: string | null): readonly Relay[] {
    const { onlyRelay, lastRelay, request, identity } = attempt
    const { relays, from } = this.#options
    return onlyRelay === null
      ? byPreference(candidatesFor(relays, tag, request.from ?? from), identity, lastRelay)
      : relays.filter(({ address, formerly }) => address === onlyRelay || formerly.has(onlyRelay))
  }

  #laneOf(name: string): RelayLane {
    const lane = this.#lanes.get(name)
    assert(lane !== undefined, 'each relay has a lane')
    return lane
  }

  /** A relay that closes instead of taking the mail opens its circuit; whether anybody else's turn may come is known here alone. */
  #withOutlook(outcome: Outcome): Outcome {
    if (outcome.unavailable !== true) return outcome
    const { unavailable, retryInMs = 0 } = this.#outlook([])
    return { ...outcome, retryInMs: unavailable ? retryInMs : 0 }
  }

  /** Whether anybody else's turn may come meanwhile, and when this one's does. */
  #outlook(own: readonly Relay[]): Pick<FailedAttempt, 'unavailable' | 'retryInMs'> {
    const all = [...this.#lanes.values()]
    const unavailable = !all.some(({ circuit }) => circuit.isPassable)
    const { random } = this.#options
    const asked = unavailable ? all : own.map(({ name }) => this.#laneOf(name))
    const turns = asked.map(({ circuit }) => circuit.retryInMs)
    const jitter = unavailable ? 1 : 1 + 0.25 * random.next()
    return { unavailable, retryInMs: Math.min(strangerRetryMs, ...turns) * jitter }
  }

  /** A try that asked no relay. */
  #nobody({ request, firstSeenMs, onlyRelay }: SinkAttempt<MailRequest>): FailedAttempt {
    const { source, requestId, from } = request
    return {
      kind: 'failed',
      reached: false,
      refused: [],
      deferred: [],
      unavailable: false,
      reply: 'no relay can take it now',
      messageId: messageId(source, requestId, firstSeenMs, from ?? this.#options.from),
      relay: onlyRelay ?? '',
    }
  }

  #warnOfStranger(relay: string | null): void {
    if (relay === null || this.#strangers.has(relay)) return
    this.#strangers.add(relay)
    this.#options.log.warn(
      { event: 'relay-unknown', relay },
      `a mail in doubt waits for ${relay}, which may have it and is not configured: configure it again (or name it in "formerly" of the relay that it is now), or give the mail up with mailonce cancel`,
    )
  }
}
