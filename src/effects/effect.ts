import type { Serde } from '../serde.ts'
import type { FindTable } from '../global-table.ts'
import type { Sink, TargetReply } from '../sinks/sink.ts'
import type { OutboxLimit } from './outbox-room.ts'
import type { Traffic } from './traffic.ts'

type RecordHeaders = readonly { readonly key: string; readonly value: Buffer | null }[]

/** What the engine must know of a request beyond its bytes. Derived from the record once, when it is accepted. */
export interface EffectPlan {
  /** The pair that names the request everywhere, as one text. */
  readonly identity: string
  readonly targets: readonly string[]
  /** When the request was first seen, milliseconds. */
  readonly firstSeenMs: number
  /** Not tried before, milliseconds. */
  readonly notBeforeMs: number | null
  /** Not tried from this time on, milliseconds. */
  readonly expiresAtMs: number | null
  readonly inDoubt: 'hold' | 'resend'
  /** What would be held is sent again first where the other side recognises repetitions. @default false */
  readonly repeatable?: boolean
  /** Lower goes first. */
  readonly priority: number
}

/** What `plan` may look at beside the request. The headers are missing where only the identity is asked for. */
export interface EffectRecord {
  readonly timestampMs: number
  readonly headers?: readonly { readonly key: string; readonly value: Buffer | null }[]
}

export type TargetStatus = 'pending' | 'accepted' | 'refused' | 'unknown'

export interface TargetState {
  readonly target: string
  readonly status: TargetStatus
  /** The last word of the other side about it, or ours where it said none. */
  readonly reply: string
  /** Retry delays it has used up; not kept once it is settled. */
  readonly retries?: number
  /** Of a pending one: not asked again before, wall clock, milliseconds; missing: its turn has come. */
  readonly dueMs?: number
  /** Refused because its retries ran out. */
  readonly ranOut?: boolean
}

/**
 * `done`: accepted for at least one target. `in-doubt` may be followed once by another end: when a person or late evidence
 * resolves it. The rest is final.
 */
export type EndKind =
  | 'done'
  | 'refused'
  | 'retries-exhausted'
  | 'expired'
  | 'in-doubt'
  | 'cancelled'

/** How a request ended: everything an outcome record needs. */
export interface EffectEnd<Request> {
  readonly kind: EndKind
  readonly identity: string
  readonly request: Request
  /** Record key and trace headers of the request. */
  readonly key: Buffer
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
  /** In the plan's order. */
  readonly targets: readonly TargetState[]
  /** Tries that reached the other side. */
  readonly attempts: number
  readonly messageId: string | null
  readonly relay: string | null
  /** Of the last accepted try; else the last reply of all, '' if there was none. */
  readonly reply: string
  readonly detail: string
  /** When the other side answered or the decision fell, wall clock, milliseconds. */
  readonly atMs: number
  /** True for the second end of a request that was in doubt. */
  readonly revised: boolean
}

/** Why a request goes to the dead letters. */
export interface DeadLetterReason {
  /** Of the table in src/errors.ts. */
  readonly code: string
  readonly message: string
}

/** A record of the effect's input that could not be carried out: what was read, where it stood, and why it is here. */
export interface EffectDeadLetter {
  readonly key: Buffer
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
  readonly payload: Buffer
  readonly origin: EffectOrigin
  readonly reason: DeadLetterReason
}

/** Where an input record stood. */
export interface EffectOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A record the effect forwards, to the named child. */
export interface EffectOutput {
  readonly to: string
  readonly key: Buffer
  readonly value: unknown
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
  readonly timestampMs: number
}

/** Everything application-specific of an effect operator: pure functions and one sink. */
export interface EffectDefinition<Request = unknown> {
  readonly sink: Sink<Request>
  /** Of the bytes that the input topic carries; they are kept untouched until the request has ended. */
  readonly request: Serde<Request>
  readonly plan: (request: Request, record: EffectRecord) => EffectPlan
  /** The outcome record of an end; null for an end that nobody is told of. */
  readonly output: (end: EffectEnd<Request>) => EffectOutput | null
  /** Why a request goes to the dead letters with this end, its bytes untouched, beside the outcome record if there is one; null: it does not. @default never */
  readonly deadLetter?: (end: EffectEnd<Request>) => DeadLetterReason | null
  /**
   * Whether records with these headers may be one request, of those of an identity that were first seen at the same time. Only after a death
   * between the steps of an at-least-once commit is there another one. @default they are
   */
  readonly samePlace?: (one: RecordHeaders, other: RecordHeaders) => boolean
  /**
   * The records that answer a request whose identity is still open with the request `open`. It is not carried out and has no
   * end of its own. A request whose identity has ended is another one when it was first seen at another time.
   */
  readonly repeated?: (
    request: Request,
    record: EffectRecord,
    open: Request,
  ) => readonly EffectOutput[]
  /**
   * Asked before every try, of the targets that it would serve: those returned are refused for good, with the reply, and the try
   * serves the others; where none is left there is no try. What is past its gate is not asked about. @default nobody
   */
  readonly refusals?: (
    request: Request,
    targets: readonly string[],
    table: FindTable,
  ) => readonly TargetReply[]
  /** Delays before each retry, milliseconds; when they are used up the request ends as `retries-exhausted`. */
  readonly retryDelaysMs: readonly number[]
  /** Share of a delay that is drawn by chance, 0 to 1. @default 0.1 */
  readonly retryJitter?: number
  /** What keeps sources and destinations apart, and within their limits; without it requests are told apart by priority alone. */
  readonly traffic?: Traffic
  /** How many requests one instance keeps open before its partitions are paused. @default 1,000,000 or 10 GB */
  readonly outboxLimit?: OutboxLimit | undefined
  /** How long an ended request is remembered after its end, record time, milliseconds. */
  readonly rememberMs: number
}
