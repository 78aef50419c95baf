import type { FailedAttempt, Outcome, PreparedAttempt, TargetReply } from '../sinks/sink.ts'
import type { Decision } from './delivery.ts'

/** What can happen to a delivery. Times are wall clock, milliseconds; `chance` is drawn in [0, 1) by the caller. */
export type DeliveryEvent =
  | { readonly kind: 'accepted'; readonly nowMs: number }
  | {
      readonly kind: 'attempt'
      readonly nowMs: number
      readonly chance: number
      readonly attempt: AttemptIntent
    }
  | {
      readonly kind: 'failed'
      readonly nowMs: number
      readonly chance: number
      readonly failure: FailedAttempt
    }
  | {
      readonly kind: 'outcome'
      readonly nowMs: number
      readonly chance: number
      readonly token: string
      readonly outcome: Outcome
    }
  | {
      readonly kind: 'refused'
      readonly nowMs: number
      readonly refused: readonly TargetReply[]
    }
  | { readonly kind: 'expired'; readonly nowMs: number }
  | { readonly kind: 'repetition-over'; readonly nowMs: number }
  | { readonly kind: 'cancelled'; readonly nowMs: number; readonly decision: Decision }
  | {
      readonly kind: 'resolved'
      readonly nowMs: number
      readonly decision: Decision
      /** When the in-doubt end fell that the decision is about. */
      readonly endedAtMs: number
    }

/** What transaction 1 records of an attempt at its gate. */
export interface AttemptIntent {
  readonly token: string
  readonly accepted: readonly string[]
  readonly refused: readonly TargetReply[]
  readonly deferred: readonly TargetReply[]
  readonly messageId: string
  readonly contentHash: string
  readonly relay: string
  /** How long after the first try the relay recognises a repetition, milliseconds. */
  readonly repeatableForMs?: number
}

export function intentOf(token: string, prepared: PreparedAttempt): AttemptIntent {
  const { accepted, refused, deferred, messageId, contentHash, relay, repeatableForMs } = prepared
  const intent = { token, accepted, refused, deferred, messageId, contentHash, relay }
  return repeatableForMs === undefined ? intent : { ...intent, repeatableForMs }
}
