import type { AsksForLess } from './sink.ts'

/**
 * What a negative reply means for what comes next. `permanent`: never again. `temporary`: again on schedule. `throttled`: the same, and
 * whoever sent it wants fewer mails. `relay`: it is about the relay or our account there, not about this mail, which uses up no retry.
 * `too-many-recipients`: this recipient in a further transaction, at once.
 */
export const replyClasses = Object.freeze([
  'permanent',
  'temporary',
  'throttled',
  'relay',
  'too-many-recipients',
] as const)

export type ReplyClass = (typeof replyClasses)[number]

/** What the relay was asked when it replied. A reply before MAIL is always about the relay; one in the body counts as one to DATA. */
export const replyPhases = Object.freeze(['mail', 'rcpt', 'data', 'dot'] as const)

export type ReplyPhase = (typeof replyPhases)[number]

/** One row of the table: the conditions that it has must all hold. */
export interface ReplyRule {
  /** Any of these; left out: any at all. */
  readonly phases?: readonly ReplyPhase[]
  /** Any of these three digits; `y` and `z` stand for any digit, as in `55z`. */
  readonly codes?: readonly string[]
  /** Any of these enhanced codes; `x` stands for any number, as in `5.7.x`. */
  readonly enhanced?: readonly string[]
  /** Any of these is found in the text; see `phrasePattern`. */
  readonly text?: readonly string[]
  readonly class: ReplyClass
  /** Whether it is also about how much is sent. @default `certain` of the class `throttled`, else not */
  readonly asksForLess?: AsksForLess
}
