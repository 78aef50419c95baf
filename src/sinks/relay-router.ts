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
import type { FailedAttempt, PreparedAttempt, Sink, SinkAttempt } from './sink.ts'

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
}

/**
 * Gives each mail to one of several relays: by its tag or its sender, then by weight, the same one on each try while that is in reach.
 * One that is not is left out until a probe reaches it. Another relay is asked only before the final dot, and never for a mail that is
 * in doubt: that one waits for its own.
 */
export class RelayRouter implements Sink<MailRequest> {
  readonly concurrencyMax: number
  readonly #options: RelayRouterOptions
  readonly #lanes: ReadonlyMap<Relay, RelayLane>
  readonly #strangers = new Set<string>()

  /** Throws CONFIGURATION_INVALID. */
  constructor(options: RelayRouterOptions) {
    const { relays, metrics = new MetricRegistry() } = options
    checkRelays(relays)
    this.#options = options
    this.#lanes = this.#openLanes(new RelayMetrics(metrics))
    this.concurrencyMax = [...this.#lanes.values()].reduce((sum, { capacity }) => sum + capacity, 0)
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { tag, request } = takeTag(attempt.request)
    const lanes = this.#lanesFor(attempt, tag)
    let failure: FailedAttempt | undefined
    for (const lane of lanes) {
      const result = await lane.prepare({ ...attempt, request }, signal)
      // One that is full is worth waiting for: else the weights would not hold under load.
      if (result === 'full')
        return { ...this.#nobody(attempt), unavailable: false, retryInMs: lane.turnAway() }
      if (result === 'closed') continue
      if (result.kind === 'prepared' || !result.unavailable || signal.aborted) return result
      failure = result
    }
    if (lanes.length === 0) this.#warnOfStranger(attempt.onlyRelay)
    return { ...(failure ?? this.#nobody(attempt)), ...this.#outlook(lanes) }
  }

  setShare(share: number): void {
    for (const lane of this.#lanes.values()) lane.setShare(share)
  }

  async close(): Promise<void> {
    await Promise.all(this.#options.relays.map(({ sink }) => sink.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #openLanes(metrics: RelayMetrics): ReadonlyMap<Relay, RelayLane> {
    const { relays, clock, random, log } = this.#options
    // With one relay there is nobody whose room it could take.
    const placesEach = relays.length === 1 ? 1 : 2
    const entries = relays.map((relay): readonly [Relay, RelayLane] => {
      const { name, address, sink } = relay
      const lane = new RelayLane(relay, {
        clock,
        random,
        capacity: sink.concurrencyMax * placesEach,
        onResult: result => metrics.tries.labels({ relay: name, result }).inc(),
        onCircuit: state => {
          const fields = { event: 'relay-circuit', relay: name, address, state }
          if (state === 'open') log.warn(fields, `the relay ${name} is out of reach`)
          else log.info(fields)
        },
      })
      metrics.watch(name, lane)
      return [relay, lane]
    })
    return new Map(entries)
  }

  #lanesFor(attempt: SinkAttempt<MailRequest>, tag: string | null): readonly RelayLane[] {
    const { onlyRelay, lastRelay, request, identity } = attempt
    const { relays, from } = this.#options
    const chosen =
      onlyRelay === null
        ? byPreference(candidatesFor(relays, tag, request.from ?? from), identity, lastRelay)
        : relays.filter(({ address, formerly }) => address === onlyRelay || formerly.has(onlyRelay))
    return chosen.map(relay => {
      const lane = this.#lanes.get(relay)
      assert(lane !== undefined, 'each relay has a lane')
      return lane
    })
  }

  /** Whether anybody else's turn may come meanwhile, and when this one's does. */
  #outlook(own: readonly RelayLane[]): Pick<FailedAttempt, 'unavailable' | 'retryInMs'> {
    const all = [...this.#lanes.values()]
    const unavailable = !all.some(({ circuit }) => circuit.isPassable)
    const { random } = this.#options
    const turns = (unavailable ? all : own).map(({ circuit }) => circuit.retryInMs)
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
