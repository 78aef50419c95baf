import type { Report } from '../circuit.ts'
import type { PartyName } from './lanes.ts'

/** The sink as a whole is a party too: every try is one of its tries. Who asks for less behind it is the sink's own matter. */
export type AnyParty = PartyName | 'sink'

/** A try that has begun: it holds a slot of the sink, and room of all its parties. */
export interface Permit {
  /** Monotonic milliseconds. */
  readonly beganMs: number
  readonly parties: readonly PartyName[]
  /** What the try finds out about the other side as a whole. */
  readonly report: Report
  /** The try is over; a second call does nothing. `isUnused`: nobody was asked, so it counts for no rate. */
  release(isUnused?: boolean): void
}

export interface Complaint {
  readonly isCertain: boolean
  readonly reply: string
}

/** What an answer says about who may get how much. */
export interface Answer {
  readonly served: boolean
  /** Who asked for less, and how. */
  readonly complaints: ReadonlyMap<PartyName, Complaint>
}
