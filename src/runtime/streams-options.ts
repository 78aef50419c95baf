import type { Guarantee } from './committer.ts'
import type { FetcherOptions } from './ports.ts'

/** Resolved settings of one instance. */
export interface StreamsOptions {
  /** Names the consumer group, the internal topics and the transactional ids. Never changes. */
  readonly applicationId: string
  /** Stable name of this instance; no two live instances share one. */
  readonly instanceId: string
  /**
   * Which worker of its instance this is, where several threads of a process are one instance: 0, 1, … Names its transactional id and
   * its static member. @default 0
   */
  readonly workerIndex: number
  /** Since when the instance lives, wall clock, milliseconds; the same for all of its workers. @default when it starts */
  readonly instanceSinceMs?: number
  readonly staticMembership: boolean
  /** Whether everything a record causes becomes visible once, or, without transactions, at least once. @default 'exactly-once' */
  readonly guarantee: Guarantee
  /** Longest time records wait for their transaction under load, milliseconds. @default 100 */
  readonly commitIntervalMs: number
  /** @default 10000 */
  readonly transactionTimeoutMs: number
  /** @default 10000; static members 45000 */
  readonly sessionTimeoutMs: number
  /** @default 30000 */
  readonly rebalanceTimeoutMs: number
  readonly fetch: FetcherOptions
  readonly acceptLostState: boolean
  /** Copies of each task's state that other instances keep up to date; 0 for none. @default 0 */
  readonly standbys: number
  /** Changelog records that a copy may be behind when it takes its task over: fewer than that are replayed in a moment. @default 10000 */
  readonly acceptableLag: number
  /**
   * Asked once the cluster answers, before anything is created or joined; what it throws ends the instance, unless it passes by itself:
   * then it is asked again. Aborted when the instance is stopped meanwhile.
   */
  readonly mayStart: (signal: AbortSignal) => Promise<void>
  /** HOST:PORT at which the others of the group find this instance's answers; left out, they are told nothing. */
  readonly advertisedHttp?: string
  /** What the user calls to create missing topics. */
  readonly createTopicsHint: string
}

export type StreamsSettings = Pick<StreamsOptions, 'applicationId' | 'instanceId'> &
  Partial<StreamsOptions>

const defaults = Object.freeze({
  workerIndex: 0,
  staticMembership: false,
  guarantee: 'exactly-once' as const,
  commitIntervalMs: 100,
  transactionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 30_000,
  fetch: Object.freeze({
    maxWaitMs: 500,
    // A response is decoded bit by bit: a large one grows old, and what is old is collected late and dearly.
    maxBytesPerPartition: 256 * 1024,
    maxBytes: 4 * 1024 * 1024,
    recordsPerPoll: 250,
  }),
  acceptLostState: false,
  standbys: 0,
  acceptableLag: 10_000,
  mayStart: () => Promise.resolve(),
  createTopicsHint: 'create them first',
})

/** Copies and fills in. The caller's object is never changed. */
export function resolveStreamsOptions(settings: StreamsSettings): StreamsOptions {
  const sessionTimeoutMs = settings.staticMembership ? 45_000 : 10_000
  return Object.freeze({ sessionTimeoutMs, ...defaults, ...settings })
}
