import type { Postponement } from '../sinks/sink.ts'
import { type Delivery, nextDueMs } from './delivery.ts'
import { backOffMs, isSilentTooLong, type Moment, type RetryPolicy } from './delivery-schedule.ts'
import type { EndKind, TargetState } from './effect.ts'
import { held, repetitionOf } from './repetition.ts'

/** The next state, and the end to publish if the event brought one. The same delivery object means: the event says nothing. */
export interface Transition {
  readonly delivery: Delivery
  readonly end: EndKind | null
}

export function same(delivery: Delivery): Transition {
  return { delivery, end: null }
}

/** No attempt is under way: ended if nobody is pending, else in line as soon as somebody's turn comes. */
export function proceed(delivery: Delivery, nowMs: number): Transition {
  const dueMs = nextDueMs(delivery)
  if (dueMs === Infinity) return end(delivery, nowMs, 'refused')
  return dueMs > nowMs ? wait(delivery, dueMs) : same({ ...delivery, state: { kind: 'queued' } })
}

/** Nobody was told anything that counts: those whose turn it was are asked again after a back-off. */
export function dropped(
  delivery: Delivery,
  at: Moment,
  policy: RetryPolicy,
  said: Postponement & { readonly reply: string },
): Transition {
  const dueMs = nextDueMs(delivery)
  if (dueMs === Infinity) return end(delivery, at.nowMs, 'refused')
  if (isSilentTooLong(delivery, at, policy))
    return giveUp(delivery, at.nowMs, 'retries-exhausted', `no answer for days: ${said.reply}`)
  const againMs = at.nowMs + backOffMs(delivery, at, policy, said)
  return wait({ ...delivery, drops: delivery.drops + 1 }, Math.max(dueMs, againMs))
}

/** Never beyond the expiry: there the timer fires to end it. */
export function wait(delivery: Delivery, dueMs: number): Transition {
  const { expiresAtMs } = delivery.plan
  const boundedMs = expiresAtMs === null ? dueMs : Math.min(dueMs, expiresAtMs)
  return same({ ...delivery, state: { kind: 'waiting', dueMs: boundedMs } })
}

/** Those still pending are refused with their last reply, or with the reason if they never got one; but for those in doubt. */
export function giveUp(before: Delivery, nowMs: number, kind: EndKind, reason: string): Transition {
  const delivery = held(before, repetitionOf(before)?.targets ?? [], before.reply)
  const targets = delivery.targets.map(each =>
    each.status === 'pending'
      ? { target: each.target, status: 'refused' as const, reply: each.reply || reason }
      : each,
  )
  return end({ ...delivery, targets, reply: delivery.reply || reason }, nowMs, kind)
}

/** Accepted by one is done; else somebody in doubt makes it in doubt; else the reason given, or that somebody's retries ran out. */
export function end(delivery: Delivery, nowMs: number, otherwise: EndKind): Transition {
  const { targets } = delivery
  const ranOut = otherwise === 'refused' && targets.some(hasRunOut)
  const reason = ranOut ? 'retries-exhausted' : otherwise
  const kind: EndKind = targets.some(isAccepted)
    ? 'done'
    : targets.some(isInDoubt)
      ? 'in-doubt'
      : reason
  // A second in-doubt end would say nothing new: the first one stands.
  const published = delivery.revising && kind === 'in-doubt' ? null : kind
  return {
    delivery: { ...delivery, state: { kind: 'ended', end: kind, atMs: nowMs } },
    end: published,
  }
}

const isAccepted = ({ status }: TargetState): boolean => status === 'accepted'
const isInDoubt = ({ status }: TargetState): boolean => status === 'unknown'
const hasRunOut = ({ ranOut }: TargetState): boolean => ranOut === true
