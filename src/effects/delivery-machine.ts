import assert from 'node:assert/strict'
import type { FailedAttempt, TargetReply } from '../sinks/sink.ts'
import { type Decision, decisionText, type Delivery, type Doubt, markTargets } from './delivery.ts'
import type { AttemptIntent, DeliveryEvent } from './delivery-event.ts'
import type { EndKind, TargetStatus } from './effect.ts'

export interface RetryPolicy {
  readonly delaysMs: readonly number[]
  /** Share of a delay that is drawn by chance. */
  readonly jitter: number
}

/** The next state, and the end to publish if the event brought one. The same delivery object means: the event says nothing. */
export interface Transition {
  readonly delivery: Delivery
  readonly end: EndKind | null
}

/** RFC 5321 4.5.4.1: give up after 4–5 days. Bounds what gets no answer at all; "not now" answers are bounded by the schedule. */
const silenceMaxMs = 4 * 24 * 3600 * 1000
const dropDelayMinMs = 1000
const dropDelayMaxMs = 300_000

/** Pure: no clock, no I/O, no chance of its own. */
export function deliver(delivery: Delivery, event: DeliveryEvent, policy: RetryPolicy): Transition {
  switch (event.kind) {
    case 'accepted':
      return accept(delivery, event.nowMs)
    case 'attempt':
      return attempt(delivery, event.nowMs, event.attempt)
    case 'failed':
      return fail(delivery, event.failure, event.nowMs, event.chance, policy)
    case 'outcome':
      return applyOutcome(delivery, event, policy)
    case 'refused':
      return refuse(delivery, event.refused, event.nowMs)
    case 'expired':
      return isIdle(delivery)
        ? giveUp(delivery, event.nowMs, 'expired', 'expired before it could be sent')
        : same(delivery)
    case 'cancelled':
      return isIdle(delivery)
        ? giveUp(
            decided(delivery, event.decision),
            event.nowMs,
            'cancelled',
            decisionText(event.decision),
          )
        : same(delivery)
    case 'resolved':
      return resolve(delivery, event)
  }
}

/** Queued or waiting: no attempt is under way that anybody could have seen. */
export function isIdle(delivery: Delivery): boolean {
  return delivery.state.kind === 'queued' || delivery.state.kind === 'waiting'
}

function same(delivery: Delivery): Transition {
  return { delivery, end: null }
}

function accept(delivery: Delivery, nowMs: number): Transition {
  const { expiresAtMs, notBeforeMs } = delivery.plan
  if (expiresAtMs !== null && nowMs >= expiresAtMs)
    return giveUp(delivery, nowMs, 'expired', 'expired before it could be sent')
  if (notBeforeMs !== null && notBeforeMs > nowMs) return wait(delivery, notBeforeMs)
  return same(delivery)
}

/**
 * Refused by the application before a try, so that no try serves them. Who stands in a doubt may have been served: that
 * nobody serves him again does not settle it.
 */
function refuse(delivery: Delivery, refused: readonly TargetReply[], nowMs: number): Transition {
  if (!isIdle(delivery)) return same(delivery)
  const isDoubted = ({ target }: TargetReply): boolean =>
    delivery.doubts.some(doubt => doubt.targets.includes(target))
  const pending = refused.filter(({ target }) =>
    delivery.targets.some(each => each.target === target && each.status === 'pending'),
  )
  if (pending.length === 0) return same(delivery)
  const targets = markTargets(
    markTargets(delivery.targets, pending.filter(isDoubted), 'unknown'),
    pending.filter(each => !isDoubted(each)),
    'refused',
  )
  const settled = { ...delivery, targets, reply: pending.at(-1)!.reply }
  return hasPending(settled) ? same(settled) : end(settled, nowMs, 'refused')
}

/** Transaction 1. The targets refused and deferred before the gate are recorded with it. */
function attempt(delivery: Delivery, nowMs: number, intent: AttemptIntent): Transition {
  assert(isIdle(delivery), `an attempt begins from rest, not while ${delivery.state.kind}`)
  assert(intent.accepted.length > 0, 'an attempt serves somebody')
  const refused = markTargets(delivery.targets, intent.refused, 'refused')
  return {
    delivery: {
      ...delivery,
      targets: markTargets(refused, intent.deferred, 'pending'),
      state: { kind: 'attempting', token: intent.token, targets: intent.accepted },
      attempts: delivery.attempts + 1,
      firstTryMs: delivery.firstTryMs ?? nowMs,
      messageId: intent.messageId,
      contentHash: intent.contentHash,
      relay: intent.relay,
    },
    end: null,
  }
}

/** The try ended before the gate: nothing was delivered by it. */
function fail(
  delivery: Delivery,
  failure: FailedAttempt,
  nowMs: number,
  chance: number,
  policy: RetryPolicy,
): Transition {
  if (!isIdle(delivery)) return same(delivery)
  const tried: Delivery = {
    ...delivery,
    targets: markTargets(
      markTargets(delivery.targets, failure.refused, 'refused'),
      failure.deferred,
      'pending',
    ),
    attempts: delivery.attempts + (failure.reached ? 1 : 0),
    firstTryMs: delivery.firstTryMs ?? nowMs,
    messageId: failure.messageId || delivery.messageId,
    relay: failure.relay || delivery.relay,
    reply: failure.reply,
  }
  const answered = failure.refused.length + failure.deferred.length > 0
  return answered
    ? proceed(tried, nowMs, chance, policy)
    : dropped(tried, nowMs, failure.reply, policy)
}

function applyOutcome(
  delivery: Delivery,
  event: Extract<DeliveryEvent, { kind: 'outcome' }>,
  policy: RetryPolicy,
): Transition {
  const { state } = delivery
  return state.kind === 'attempting' && state.token === event.token
    ? conclude(delivery, state.targets, event, policy)
    : lateEvidence(delivery, event)
}

/** Transaction 2: what came of the attempt that this delivery waits for. */
function conclude(
  delivery: Delivery,
  targets: readonly string[],
  event: Extract<DeliveryEvent, { kind: 'outcome' }>,
  policy: RetryPolicy,
): Transition {
  const { outcome, nowMs, token } = event
  const replies = targets.map(target => ({ target, reply: outcome.reply }))
  const rested: Delivery = {
    ...delivery,
    state: { kind: 'queued' },
    reply: outcome.reply || delivery.reply,
  }
  switch (outcome.kind) {
    case 'done':
      return proceed(
        {
          ...rested,
          targets: markTargets(delivery.targets, replies, 'accepted'),
          acceptedAtMs: nowMs,
          drops: 0,
        },
        nowMs,
        event.chance,
        policy,
      )
    case 'refused':
      return proceed(
        { ...rested, targets: markTargets(delivery.targets, replies, 'refused') },
        nowMs,
        event.chance,
        policy,
      )
    case 'deferred':
      return proceed(
        { ...rested, targets: markTargets(delivery.targets, replies, 'pending') },
        nowMs,
        event.chance,
        policy,
      )
    case 'abandoned':
      // Certainly not delivered, and nobody said no: at once again, unless it keeps happening.
      return delivery.drops < 3
        ? again({ ...rested, drops: delivery.drops + 1 }, nowMs)
        : dropped(rested, nowMs, outcome.reply, policy)
    case 'unknown': {
      const doubted: Delivery = {
        ...rested,
        doubts: [...delivery.doubts, { token, targets, relay: delivery.relay }],
      }
      if (delivery.plan.inDoubt === 'hold')
        return proceed(
          { ...doubted, targets: markTargets(delivery.targets, replies, 'unknown') },
          nowMs,
          event.chance,
          policy,
        )
      // Sent again with the same bytes: the first time at once, then ever more slowly.
      return delivery.drops === 0
        ? again({ ...doubted, drops: 1 }, nowMs)
        : dropped(doubted, nowMs, outcome.reply, policy)
    }
  }
}

/** Queued, unless late evidence has settled everybody meanwhile. */
function again(delivery: Delivery, nowMs: number): Transition {
  return hasPending(delivery) ? same(delivery) : end(delivery, nowMs, 'refused')
}

/**
 * Evidence about an attempt that was already given up as in doubt: it may revise an in-doubt end, once. As long as it leaves
 * somebody else in doubt nothing is revised, so the next evidence may still do it.
 */
function lateEvidence(
  delivery: Delivery,
  event: Extract<DeliveryEvent, { kind: 'outcome' }>,
): Transition {
  const { outcome, nowMs, token } = event
  const { state } = delivery
  const doubt = delivery.doubts.find(each => each.token === token)
  if (doubt === undefined || outcome.kind === 'unknown') return same(delivery)
  if (state.kind === 'ended' && state.end !== 'in-doubt') return same(delivery)
  const status = statusAfter[outcome.kind]
  const replies = concernedBy(doubt, delivery, status).map(target => ({
    target,
    reply: outcome.reply,
  }))
  const known: Delivery = {
    ...delivery,
    targets: markTargets(delivery.targets, replies, status),
    doubts: delivery.doubts.filter(each => each !== doubt),
    acceptedAtMs: outcome.kind === 'done' ? nowMs : delivery.acceptedAtMs,
    reply: outcome.reply,
  }
  if (state.kind === 'attempting') return same(known)
  const revising = delivery.revising || state.kind === 'ended'
  // Known now not to have been delivered: it is tried again at once.
  if (status === 'pending') return same({ ...known, revising, state: { kind: 'queued' } })
  if (hasPending(known)) return same(known)
  const revised = end({ ...known, revising }, nowMs, 'refused')
  return state.kind === 'ended' && revised.end === null ? same(known) : revised
}

/**
 * What a person says about an in-doubt end. It must be the end that this person has seen: an order to send again that is given
 * twice would otherwise answer the doubt that its first carrying out left behind.
 */
function resolve(
  delivery: Delivery,
  { nowMs, decision, endedAtMs }: Extract<DeliveryEvent, { kind: 'resolved' }>,
): Transition {
  const { state, targets } = delivery
  if (state.kind !== 'ended' || state.end !== 'in-doubt' || state.atMs !== endedAtMs)
    return same(delivery)
  const reply = decisionText(decision)
  // Those in doubt: in such an end everybody else is settled.
  const replies = targets.map(({ target }) => ({ target, reply }))
  const known = { ...decided(delivery, decision), revising: true, reply }
  switch (decision.kind) {
    case 'sent':
      return end(
        { ...known, targets: markTargets(targets, replies, 'accepted'), acceptedAtMs: nowMs },
        nowMs,
        'refused',
      )
    case 'fail':
      return end(
        { ...known, targets: markTargets(targets, replies, 'refused') },
        nowMs,
        'cancelled',
      )
    case 'resend':
      // A fresh start: nothing that was used up before the doubt is held against it.
      return same({
        ...known,
        targets: markTargets(targets, replies, 'pending'),
        state: { kind: 'queued' },
        retries: 0,
        drops: 0,
        firstTryMs: null,
      })
    case 'cancel':
      return same(delivery)
  }
}

function decided(delivery: Delivery, decision: Decision): Delivery {
  return { ...delivery, decisions: [...delivery.decisions, decision] }
}

/** About whom a later attempt serves, that attempt says the last word: except that the other side took it, which stays true. */
function concernedBy(doubt: Doubt, { state }: Delivery, status: TargetStatus): readonly string[] {
  if (state.kind !== 'attempting' || status === 'accepted') return doubt.targets
  return doubt.targets.filter(target => !state.targets.includes(target))
}

const statusAfter = {
  done: 'accepted',
  refused: 'refused',
  deferred: 'pending',
  abandoned: 'pending',
} as const

function hasPending(delivery: Delivery): boolean {
  return delivery.targets.some(each => each.status === 'pending')
}

/** After an answer: ended if nobody is pending, else the next retry of the schedule. */
function proceed(
  delivery: Delivery,
  nowMs: number,
  chance: number,
  policy: RetryPolicy,
): Transition {
  if (!hasPending(delivery)) return end(delivery, nowMs, 'refused')
  const delayMs = policy.delaysMs[delivery.retries]
  if (delayMs === undefined)
    return giveUp(delivery, nowMs, 'retries-exhausted', 'its retries ran out')
  const jitteredMs = Math.round(delayMs * (1 + policy.jitter * chance))
  return wait({ ...delivery, retries: delivery.retries + 1, drops: 0 }, nowMs + jitteredMs)
}

/** Without an answer: back-off of its own, doubling from 1 s to 5 min, for as long as mail is kept: 4 days, or a longer schedule. */
function dropped(
  delivery: Delivery,
  nowMs: number,
  reply: string,
  { delaysMs, jitter }: RetryPolicy,
): Transition {
  if (!hasPending(delivery)) return end(delivery, nowMs, 'refused')
  const sinceMs = nowMs - (delivery.firstTryMs ?? nowMs)
  const scheduleMs = delaysMs.reduce((sum, delayMs) => sum + delayMs, 0) * (1 + jitter)
  if (sinceMs > Math.max(silenceMaxMs, scheduleMs))
    return giveUp(delivery, nowMs, 'retries-exhausted', `no answer for days: ${reply}`)
  const delayMs = Math.min(dropDelayMinMs * 2 ** Math.min(delivery.drops, 20), dropDelayMaxMs)
  return wait({ ...delivery, drops: delivery.drops + 1 }, nowMs + delayMs)
}

/** Never beyond the expiry: there the timer fires to end it. */
function wait(delivery: Delivery, dueMs: number): Transition {
  const { expiresAtMs } = delivery.plan
  const boundedMs = expiresAtMs === null ? dueMs : Math.min(dueMs, expiresAtMs)
  return { delivery: { ...delivery, state: { kind: 'waiting', dueMs: boundedMs } }, end: null }
}

/** Those still pending are refused with their last reply, or with the reason if they never got one. */
function giveUp(delivery: Delivery, nowMs: number, kind: EndKind, reason: string): Transition {
  const targets = delivery.targets.map(each =>
    each.status === 'pending'
      ? { ...each, status: 'refused' as const, reply: each.reply || reason }
      : each,
  )
  return end({ ...delivery, targets, reply: delivery.reply || reason }, nowMs, kind)
}

/** Accepted by one is done; else somebody in doubt makes it in doubt; else the reason given. */
function end(delivery: Delivery, nowMs: number, otherwise: EndKind): Transition {
  const has = (status: string): boolean => delivery.targets.some(each => each.status === status)
  const kind: EndKind = has('accepted') ? 'done' : has('unknown') ? 'in-doubt' : otherwise
  // A second in-doubt end would say nothing new: the first one stands.
  const published = delivery.revising && kind === 'in-doubt' ? null : kind
  return {
    delivery: { ...delivery, state: { kind: 'ended', end: kind, atMs: nowMs } },
    end: published,
  }
}
