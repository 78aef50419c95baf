import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import type { FailedAttempt, Outcome, PreparedAttempt, Sink, SinkAttempt } from '../sinks/sink.ts'
import type { Delivery } from './delivery.ts'
import { onlyRelayOf } from './delivery.ts'
import { attemptDeadlineMs, type FailedFlight, type Flight, type Moment } from './flight.ts'
import type { Permit } from './permit.ts'
import { nextTargets, whyNoRepetition } from './repetition.ts'
import type { SinkSlots } from './sink-slots.ts'
import { answerOf, failureAnswer } from './throttling.ts'
import type { Traffic } from './traffic.ts'

/** An outcome of the attempt with this token. It stays true whatever becomes of transactions and tasks. */
export interface Fact {
  readonly identity: string
  readonly token: string
  readonly outcome: Outcome
  /** When it was read, wall clock, milliseconds. */
  readonly atMs: number
}

export interface FlightsOptions<Request> {
  readonly sink: Sink<Request>
  readonly slots: SinkSlots
  readonly traffic: Traffic | undefined
  readonly clock: Clock
  /** Something came in: look at `failed`, `facts` and the gate. */
  readonly wake: () => void
  /** Every fact, once. */
  readonly onFact: (fact: Fact) => void
}

/** Tries under way of one task: everything about an effect that touches the outside world. */
export class Flights<Request> {
  readonly #options: FlightsOptions<Request>
  readonly #all = new Set<Flight>()
  #failed: FailedFlight[] = []
  #closed = false

  constructor(options: FlightsOptions<Request>) {
    this.#options = options
  }

  get size(): number {
    return this.#all.size
  }

  /** Nothing is under way that could still be abandoned. */
  get onlyPerforming(): boolean {
    for (const { stage } of this.#all) if (stage !== 'performing') return false
    return true
  }

  /** Some are neither at their gates nor in a cycle that commits. */
  get isMoving(): boolean {
    for (const { stage } of this.#all)
      if (stage === 'preparing' || stage === 'performing') return true
    return false
  }

  performing(token: string): Flight | undefined {
    for (const each of this.#all)
      if (each.stage === 'performing' && each.token === token) return each
    return undefined
  }

  atGate(): Flight[] {
    const flights: Flight[] = []
    for (const each of this.#all) if (each.stage === 'gate') flights.push(each)
    return flights
  }

  takeFailed(): FailedFlight[] {
    const failed = this.#failed
    if (failed.length > 0) this.#failed = []
    return failed
  }

  /** The permit is released when the flight is over. */
  start(delivery: Delivery, request: Request, permit: Permit): Flight {
    const flight: Flight = {
      identity: delivery.plan.identity,
      permit,
      delivery,
      request,
      stage: 'preparing',
      abort: new AbortController(),
      prepared: undefined,
      token: '',
      startedAt: undefined,
    }
    this.#all.add(flight)
    void this.#prepare(flight, request)
    return flight
  }

  async #prepare(flight: Flight, request: Request): Promise<void> {
    const { sink, wake } = this.#options
    let prepared: PreparedAttempt | FailedAttempt
    // A sink that rejects breaks its promise; that costs this request its back-off, and neither a slot nor the process.
    try {
      const result = await sink.prepare(this.#attemptOf(flight, request), flight.abort.signal)
      prepared = result.kind === 'failed' ? result : repetitionOrFailed(flight, result)
    } catch (error) {
      prepared = failedAttempt(describeError(error))
    }
    if (!this.#all.has(flight)) {
      // Abandoned meanwhile: what was prepared is undone here, because nobody else knows of it.
      if (prepared.kind === 'prepared') prepared.abandon()
      flight.permit.report('nothing')
      flight.permit.release()
      return
    }
    if (prepared.kind === 'failed') {
      this.#fail(flight, prepared)
      return
    }
    flight.permit.report('answered')
    flight.prepared = prepared
    flight.stage = 'gate'
    wake()
    const reason = await prepared.lost
    if (flight.stage === 'gate' && this.#all.has(flight))
      this.#fail(flight, lostAtGate(flight, reason))
  }

  #attemptOf({ delivery }: Flight, request: Request): SinkAttempt<Request> {
    const { plan, relay } = delivery
    return {
      request,
      targets: nextTargets(delivery, this.#options.clock.nowMs()),
      identity: plan.identity,
      firstSeenMs: plan.firstSeenMs,
      lastRelay: relay,
      onlyRelay: onlyRelayOf(delivery),
    }
  }

  #fail(flight: Flight, failure: FailedAttempt): void {
    const { slots, traffic, wake } = this.#options
    const { permit } = flight
    // Before the circuit opens by it: what probes are told says nothing about how much is welcome.
    if (!slots.isOpen) slots.answered(permit, failureAnswer(failure, traffic))
    if (failure.unavailable) permit.report('unavailable', failure.retryInMs)
    else permit.report(wasAsked(failure) ? 'answered' : 'nothing')
    this.#all.delete(flight)
    this.#failed.push({ flight, failure })
    permit.release(!failure.reached && !wasAsked(failure))
    wake()
  }

  /** Everything up to the gate is undone; sealed and performing ones stay. */
  abandonUnsealed(): Flight[] {
    return this.#abandon(flight => flight.stage === 'preparing' || flight.stage === 'gate')
  }

  /** The cycle that held their ATTEMPT failed, or nobody knows: certainly not performed, and that is a fact. */
  abandonSealed(): void {
    const { clock, onFact } = this.#options
    for (const { identity, token } of this.#abandon(flight => flight.stage === 'sealed'))
      onFact({
        identity,
        token,
        outcome: { kind: 'abandoned', reply: 'the commit failed' },
        atMs: clock.nowMs(),
      })
  }

  abandon(flight: Flight): void {
    this.#abandon(each => each === flight)
  }

  #abandon(which: (flight: Flight) => boolean): Flight[] {
    const abandoned = [...this.#all].filter(which)
    for (const flight of abandoned) {
      assert(flight.stage !== 'performing', 'what was performed cannot be abandoned')
      this.#all.delete(flight)
      flight.abort.abort()
      if (flight.prepared === undefined) continue // `#prepare` releases the slot when the sink lets go.
      flight.prepared.abandon()
      flight.permit.release()
    }
    return abandoned
  }

  /**
   * Transaction 1 of these has committed. The last step is taken if less than 5 s have passed since before it, on both
   * clocks: a machine that was suspended, or a process that was frozen, finds one of them too far on. Whoever owns the
   * task by then starts to count later than we did, and waits longer.
   */
  perform(flights: readonly Flight[]): void {
    const { clock } = this.#options
    for (const flight of flights) {
      const { prepared, startedAt } = flight
      assert(
        prepared !== undefined && startedAt !== undefined && flight.stage === 'sealed',
        'only what was sealed is performed',
      )
      flight.stage = 'performing'
      const mayPerform = (): boolean => !this.#closed && isWithinDeadline(clock, startedAt)
      prepared.perform(mayPerform).then(
        outcome => this.#conclude(flight, prepared, outcome),
        // The step may have been taken before it broke.
        (error: unknown) =>
          this.#conclude(flight, prepared, { kind: 'unknown', reply: describeError(error) }),
      )
    }
  }

  #conclude(flight: Flight, prepared: PreparedAttempt, outcome: Outcome): void {
    const { clock, slots, traffic, onFact, wake } = this.#options
    this.#all.delete(flight)
    onFact({ identity: flight.identity, token: flight.token, outcome, atMs: clock.nowMs() })
    const { permit } = flight
    slots.answered(permit, answerOf(outcome, prepared, traffic))
    // With 0 somebody else behind the same sink is in reach.
    if (outcome.unavailable && outcome.retryInMs !== 0)
      permit.report('unavailable', outcome.retryInMs)
    permit.release()
    wake()
  }

  /** The task is no longer ours: nothing is performed from now on; replies that still come are facts for the new owner. */
  close(): void {
    this.#closed = true
    this.abandonUnsealed()
    this.abandonSealed()
  }
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() }
}

function isWithinDeadline(clock: Clock, startedAt: Moment): boolean {
  return (
    clock.monotonicMs() - startedAt.monotonicMs < attemptDeadlineMs &&
    clock.nowMs() - startedAt.wallMs < attemptDeadlineMs
  )
}

/** False where it is known that nobody was: those who may be are out of reach, or have no room. */
function wasAsked({ retryInMs, noRoomAt }: FailedAttempt): boolean {
  return retryInMs === undefined && noRoomAt === undefined
}

/** What was prepared, unless it is to repeat an attempt in doubt and does not: then it is undone. */
function repetitionOrFailed(
  { delivery }: Flight,
  prepared: PreparedAttempt,
): PreparedAttempt | FailedAttempt {
  const why = whyNoRepetition(delivery, prepared)
  if (why === null) return prepared
  prepared.abandon()
  return failedAttempt(why, prepared)
}

function lostAtGate({ prepared }: Flight, reason: string): FailedAttempt {
  return failedAttempt(reason, prepared)
}

function failedAttempt(reply: string, prepared?: PreparedAttempt): FailedAttempt {
  return {
    kind: 'failed',
    reached: true,
    refused: [],
    deferred: [],
    unavailable: false,
    reply,
    messageId: prepared?.messageId ?? '',
    relay: prepared?.relay ?? '',
  }
}
