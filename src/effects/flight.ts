import type { FailedAttempt, PreparedAttempt } from '../sinks/sink.ts'
import type { Delivery } from './delivery.ts'
import type { Permit } from './permit.ts'

/** Readings of both clocks, taken together: a suspended machine stops one of them. */
export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

/**
 * `preparing` → `gate` (waits to be written into a cycle) → `sealed` (its ATTEMPT is in a cycle that has not committed) →
 * `performing` (transaction 1 has committed) → gone. Up to and including `sealed` it can be abandoned without a trace.
 */
export type FlightStage = 'preparing' | 'gate' | 'sealed' | 'performing'

/** One try under way. */
export interface Flight {
  readonly identity: string
  /** Held until it is over. */
  readonly permit: Permit
  readonly delivery: Delivery
  /** Decoded for the try, and for what comes of it. */
  readonly request: unknown
  stage: FlightStage
  readonly abort: AbortController
  prepared: PreparedAttempt | undefined
  /** Names the attempt from its gate on. */
  token: string
  /** Before its transaction 1 began. */
  startedAt: Moment | undefined
}

/** A try that ended before its gate, to be written into the next cycle. */
export interface FailedFlight {
  readonly flight: Flight
  readonly failure: FailedAttempt
}

/** An attempt may be performed for this long after its transaction 1 began, on both clocks. */
export const attemptDeadlineMs = 5000
/** Another owner's reading of the ATTEMPT comes after that begin, so this long after it nobody performs it any more. */
export const foreignDeadlineMs = attemptDeadlineMs + 1000
/** How long evidence of a former owner is waited for, after the deadline (contract). */
export const evidenceWaitMs = 15_000
