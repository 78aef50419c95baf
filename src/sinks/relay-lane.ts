import { Circuit, type CircuitState, type Finding, type Report } from '../circuit.ts'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { splitAddress } from './mail-address.ts'
import type { MailRequest } from './mail-request.ts'
import type { Relay } from './relay.ts'
import { type Entry, RelayRoom, type RoomOptions } from './relay-room.ts'
import type { FailedAttempt, Outcome, PreparedAttempt, SinkAttempt } from './sink.ts'

/** What came of one try at a relay. */
export type LaneResult = 'failed' | 'unavailable' | 'lost' | Outcome['kind']

export interface LaneOptions extends Omit<RoomOptions, 'perSecond'> {
  readonly clock: Clock
  readonly random: Random
  readonly onCircuit: (state: CircuitState) => void
  readonly onResult: (result: LaneResult) => void
  /** What whoever sent the mail hears of its outcome: whether anybody else's turn may come is known to all lanes together. */
  readonly withOutlook: (outcome: Outcome) => Outcome
}

/** One try that has begun. */
interface Begun {
  readonly entry: Entry
  readonly report: Report
  isPerformed: boolean
}

/** The way to one relay: its circuit, and how much room it has. A relay that is slow fills its own lane and nobody else's. */
export class RelayLane {
  readonly circuit: Circuit
  readonly room: RelayRoom
  readonly #relay: Relay
  readonly #options: LaneOptions
  /** The domain that complained last. */
  #complainer: string | undefined

  constructor(relay: Relay, options: LaneOptions) {
    const { clock, random, onCircuit } = options
    this.#relay = relay
    this.#options = options
    this.room = new RelayRoom({ ...options, perSecond: relay.perSecond })
    const onChange = (state: CircuitState): void => {
      onCircuit(state)
      // Those who wait for it may go elsewhere now, or to it.
      this.room.tell()
    }
    this.circuit = new Circuit(clock, random, { onChange })
  }

  /** Tries that may begin; Infinity while it is out of reach. */
  get free(): number {
    return this.circuit.isPassable ? this.room.free : Infinity
  }

  /** `closed` when its circuit lets nobody through. */
  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt | 'closed' | 'full'> {
    if (this.free === 0) return 'full'
    const report = this.circuit.begin()
    if (report === undefined) return 'closed'
    const begun: Begun = { report, entry: this.room.enter(), isPerformed: false }
    try {
      const result = await this.#relay.sink.prepare(attempt, signal)
      this.#hear(begun, complaintOf(result))
      report(findingOf(result))
      if (result.kind === 'prepared') return this.#watched(result, begun)
      // Whom nobody has asked counts for nothing.
      if (!result.reached) this.room.takeBack()
      this.#options.onResult(result.unavailable ? 'unavailable' : 'failed')
      this.room.leave(begun.entry)
      return result
    } catch (error) {
      report('nothing')
      this.room.leave(begun.entry)
      throw error
    }
  }

  /**
   * Before the circuit opens by it: what probes are told says nothing about how much is welcome. A domain that complains again and
   * again is throttled as such: for the relay it counts once, until another one complains.
   */
  #hear({ entry }: Begun, complaint: Complaint | undefined): void {
    if (complaint === undefined || this.circuit.state !== 'closed') return
    const { domain } = complaint
    if (domain !== undefined && domain === this.#complainer) return
    this.#complainer = domain
    this.room.complain(entry.beganMs, complaint)
  }

  /** Its place is taken until the relay has answered, or will never be asked to. */
  #watched(prepared: PreparedAttempt, begun: Begun): PreparedAttempt {
    void prepared.lost.then(() => this.#lose(begun))
    return {
      ...prepared,
      perform: mayPerform => this.#perform(prepared, begun, mayPerform),
      abandon: () => {
        prepared.abandon()
        if (!begun.isPerformed) this.room.leave(begun.entry)
      },
    }
  }

  #lose({ entry, isPerformed }: Begun): void {
    if (!isPerformed) this.#options.onResult('lost')
    this.room.leave(entry)
  }

  async #perform(
    prepared: PreparedAttempt,
    begun: Begun,
    mayPerform: () => boolean,
  ): Promise<Outcome> {
    begun.isPerformed = true
    this.room.dotted(begun.entry)
    let outcome: Outcome
    try {
      // Nothing may be awaited before this call: the deadline was checked for it.
      outcome = await prepared.perform(mayPerform)
    } finally {
      this.room.leave(begun.entry)
    }
    this.#conclude(outcome, prepared, begun)
    return this.#options.withOutlook(outcome)
  }

  #conclude(outcome: Outcome, { accepted, deferred }: PreparedAttempt, begun: Begun): void {
    this.#options.onResult(outcome.kind)
    this.#hear(begun, complaintOfDot(outcome, accepted[0]))
    const isContent = outcome.kind === 'done' && !deferred.some(each => each.asksForLess)
    if (isContent) this.room.welcome(begun.entry.beganMs)
    if (outcome.unavailable) begun.report('unavailable')
  }
}

/** What ends before MAIL without a complaint (stopped, a mail that cannot be composed) may have met nobody. */
function findingOf(result: PreparedAttempt | FailedAttempt): Finding {
  if (result.kind === 'prepared') return 'answered'
  if (result.unavailable) return 'unavailable'
  return result.reached ? 'answered' : 'nothing'
}

/** Somebody behind the relay, or the relay itself, wants less. */
interface Complaint {
  readonly isCertain: boolean
  readonly reply: string
  /** Whom it may be about instead of the relay. */
  readonly domain?: string
}

/** A reply to RCPT is about one domain, until most of them are such. */
function complaintOf(result: PreparedAttempt | FailedAttempt): Complaint | undefined {
  if (result.kind === 'failed' && result.asksForLess)
    return { isCertain: result.asksForLess === 'certain', reply: result.reply }
  const found = result.deferred.find(each => each.asksForLess)
  return found && { isCertain: false, reply: found.reply, domain: domainOf(found.target) }
}

/** So may be one to the dot, where the relay stays open. */
function complaintOfDot(
  { asksForLess, unavailable = false, reply }: Outcome,
  target = '',
): Complaint | undefined {
  if (asksForLess === undefined) return undefined
  if (unavailable) return { isCertain: asksForLess === 'certain', reply }
  return { isCertain: false, reply, domain: domainOf(target) }
}

function domainOf(address: string): string {
  return splitAddress(address).domain.toLowerCase()
}
