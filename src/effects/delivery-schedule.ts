import type { Postponement, TargetReply } from '../sinks/sink.ts'
import { type Delivery, markTargets } from './delivery.ts'
import type { TargetState } from './effect.ts'

export interface RetryPolicy {
  readonly delaysMs: readonly number[]
  /** Share of a delay that is drawn by chance. */
  readonly jitter: number
}

/** When something happened, wall clock, milliseconds, and what chance has drawn for it, in [0, 1). */
export interface Moment {
  readonly nowMs: number
  readonly chance: number
}

/** RFC 5321 4.5.4.1: give up after 4–5 days. Bounds what gets no answer at all; "not now" answers are bounded by the schedule. */
const silenceMaxMs = 4 * 24 * 3600 * 1000
const dropDelayMinMs = 1000
const dropDelayMaxMs = 300_000

/**
 * The other side has said "not now" to these: each goes on in the schedule by itself, no earlier than it was told to, and is refused when
 * its schedule is over.
 */
export function postpone(
  delivery: Delivery,
  replies: readonly TargetReply[],
  { nowMs, chance }: Moment,
  policy: RetryPolicy,
): Delivery {
  if (replies.length === 0) return withRetries(delivery, delivery.targets)
  const byTarget = new Map(replies.map(each => [each.target, each]))
  const leftMs = Math.max(0, (delivery.firstTryMs ?? nowMs) + horizonMs(policy) - nowMs)
  const targets = delivery.targets.map(each => {
    const said = byTarget.get(each.target)
    if (said === undefined || each.status !== 'pending') return each
    const retries = each.retries ?? 0
    const delayMs = policy.delaysMs[retries]
    if (delayMs === undefined) return ranOut(each.target, said.reply)
    const waitMs = Math.max(delayMs, Math.min(said.retryAfterMs ?? 0, leftMs))
    const dueMs = nowMs + Math.round(waitMs * (1 + policy.jitter * chance))
    return {
      target: each.target,
      status: each.status,
      reply: said.reply,
      retries: retries + 1,
      dueMs,
    }
  })
  return withRetries(delivery, targets)
}

/** What an older release knows of retries is the most that any of them has used up. */
function withRetries(delivery: Delivery, targets: readonly TargetState[]): Delivery {
  let retries = 0
  for (const each of targets) retries = Math.max(retries, each.retries ?? 0)
  const isSame = retries === delivery.retries && targets === delivery.targets
  return isSame ? delivery : { ...delivery, targets, retries }
}

function ranOut(target: string, reply: string): TargetState {
  return { target, status: 'refused', reply: reply || 'its retries ran out', ranOut: true }
}

/** Without an answer, or with one that is about nobody: a back-off of its own, doubling from 1 s to 5 min. */
export function backOffMs(
  { drops }: Delivery,
  { chance }: Moment,
  { jitter }: RetryPolicy,
  { retryAfterMs = 0 }: Postponement,
): number {
  const delayMs = Math.min(dropDelayMinMs * 2 ** Math.min(drops, 20), dropDelayMaxMs)
  const waitMs = Math.max(delayMs, Math.min(retryAfterMs, silenceMaxMs))
  return Math.round(waitMs * (1 + jitter * chance))
}

/** Nothing is waited for longer than mail is kept: 4 days, or a longer schedule. */
export function isSilentTooLong(
  { firstTryMs }: Delivery,
  { nowMs }: Moment,
  policy: RetryPolicy,
): boolean {
  return nowMs - (firstTryMs ?? nowMs) > Math.max(silenceMaxMs, horizonMs(policy))
}

/** From the first try to the last one, as late as chance may make it. */
function horizonMs({ delaysMs, jitter }: RetryPolicy): number {
  return delaysMs.reduce((sum, delayMs) => sum + delayMs, 0) * (1 + jitter)
}

/** All its retries and all its time again, for these. */
export function startAfresh(delivery: Delivery, replies: readonly TargetReply[]): Delivery {
  const named = new Set(replies.map(each => each.target))
  const fresh = markTargets(delivery.targets, replies, 'pending').map(each =>
    named.has(each.target) && each.status === 'pending'
      ? { target: each.target, status: each.status, reply: each.reply, retries: 0 }
      : each,
  )
  return { ...delivery, targets: fresh, retries: 0, drops: 0, firstTryMs: null }
}
