/** What a party takes, of all instances together. */
export interface Limit {
  /** Tries under way at once. */
  readonly connections?: number | undefined
  /** Tries begun, on average; up to a tenth of it in one go. */
  readonly perSecond?: number | undefined
}

export interface TrafficLimits {
  /** The sink as a whole; how many tries it takes at once it says itself. */
  readonly sink: Pick<Limit, 'perSecond'>
  /** Each source, and each destination, that is not in the maps. */
  readonly source: Limit
  readonly sources: ReadonlyMap<string, Limit>
  readonly destination: Limit
  readonly destinations: ReadonlyMap<string, Limit>
  /** Whether parties that ask for less get less for a while. */
  readonly isAdaptive: boolean
}

export const noLimits: TrafficLimits = Object.freeze({
  sink: {},
  source: {},
  sources: new Map<string, Limit>(),
  destination: {},
  destinations: new Map<string, Limit>(),
  isAdaptive: true,
})

/** What a fair and considerate sender knows about its requests: pure functions, so that nothing of it is stored. */
export interface Traffic {
  /** Whom the request is from: sources take turns. */
  readonly sourceOf: (identity: string) => string
  /** Where the target is: for mail its domain. */
  readonly destinationOf: (target: string) => string
  /** Requests of this priority, and of higher ones, leave a tenth of the tries at once to the others. */
  readonly bulkPriority: number
  readonly limits: TrafficLimits
}
