import assert from 'node:assert/strict'
import type { FailedAttempt, Outcome, TargetReply } from '../sinks/sink.ts'
import {
  type Decision,
  decisionText,
  type Delivery,
  type DeliveryState,
  type Doubt,
  markTargets,
  nextDueMs,
  pendingTargets,
} from './delivery.ts'
import type { AttemptIntent, DeliveryEvent } from './delivery-event.ts'
import { dropped, end, giveUp, proceed, same, type Transition, wait } from './delivery-rest.ts'
import { type Moment, postpone, type RetryPolicy, startAfresh } from './delivery-schedule.ts'
import type { TargetStatus } from './effect.ts'
import { held, repeatability, repetitionOf, withoutRepetition } from './repetition.ts'

/** Pure: no clock, no I/O, no chance of its own. */
export function deliver(delivery: Delivery, event: DeliveryEvent, policy: RetryPolicy): Transition {
  switch (event.kind) {
    case 'accepted':
      return accept(delivery, event.nowMs)
    case 'attempt':
      return attempt(delivery, event.attempt, event, policy)
    case 'failed':
      return fail(delivery, event.failure, event, policy)
    case 'outcome':
      return applyOutcome(delivery, event, policy)
    case 'refused':
      return refuse(delivery, event.refused, event.nowMs)
    case 'expired':
      return isIdle(delivery)
        ? giveUp(delivery, event.nowMs, 'expired', 'expired before it could be sent')
        : same(delivery)
    case 'repetition-over':
      return endRepetition(delivery, event.nowMs)
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
  const { reply } = pending.at(-1)!
  const marked = { ...delivery, targets, reply }
  // An attempt in doubt is repeated to all of its recipients or not at all.
  const repeated = repetitionOf(delivery)?.targets ?? []
  const isBroken = pending.some(({ target }) => repeated.includes(target))
  const settled = isBroken ? held(marked, repeated, reply) : marked
  const isEarly = delivery.state.kind === 'waiting' && delivery.state.dueMs > nowMs
  return isEarly && hasPending(settled) ? same(settled) : proceed(settled, nowMs)
}

/** Its relay may have forgotten the attempt in doubt: that one is held, and the others go on. */
function endRepetition(delivery: Delivery, nowMs: number): Transition {
  const repetition = repetitionOf(delivery)
  if (!isIdle(delivery) || repetition === undefined) return same(delivery)
  return proceed(held(delivery, repetition.targets, delivery.reply), nowMs)
}

/** Transaction 1. The targets refused and deferred before the gate are recorded with it; those in no list are left for another attempt. */
function attempt(
  delivery: Delivery,
  intent: AttemptIntent,
  at: Moment,
  policy: RetryPolicy,
): Transition {
  assert(isIdle(delivery), `an attempt begins from rest, not while ${delivery.state.kind}`)
  assert(intent.accepted.length > 0, 'an attempt serves somebody')
  assert(arePending(delivery, intent.accepted), 'an attempt serves nobody who is settled')
  const targets = markTargets(delivery.targets, intent.refused, 'refused')
  const tried: Delivery = {
    ...delivery,
    targets,
    state: {
      kind: 'attempting',
      token: intent.token,
      targets: intent.accepted,
      ...repeatability(delivery, at.nowMs, intent.repeatableForMs),
    },
    firstDotMs: delivery.firstDotMs ?? at.nowMs,
    attempts: delivery.attempts + 1,
    firstTryMs: delivery.firstTryMs ?? at.nowMs,
    messageId: intent.messageId,
    contentHash: intent.contentHash,
    relay: intent.relay,
  }
  return same(postpone(tried, intent.deferred, at, policy))
}

/** The try ended before the gate: nothing was delivered by it. */
function fail(
  delivery: Delivery,
  failure: FailedAttempt,
  at: Moment,
  policy: RetryPolicy,
): Transition {
  if (!isIdle(delivery)) return same(delivery)
  // Of those in doubt a refusal says nothing: they may have the mail already.
  const isRepetition = repetitionOf(delivery) !== undefined
  const { refused, deferred } = isRepetition ? { refused: [], deferred: [] } : failure
  const tried: Delivery = {
    ...delivery,
    targets: markTargets(delivery.targets, refused, 'refused'),
    attempts: delivery.attempts + (failure.reached ? 1 : 0),
    firstTryMs: delivery.firstTryMs ?? at.nowMs,
    messageId: failure.messageId || delivery.messageId,
    relay: failure.relay || delivery.relay,
    reply: failure.reply,
  }
  if (refused.length + deferred.length === 0) return dropped(tried, at, policy, failure)
  const postponed = { ...postpone(tried, deferred, at, policy), drops: 0 }
  // Somebody was told nothing: it may be that the connection broke, so not in the same moment again.
  return nextDueMs(postponed) <= at.nowMs
    ? dropped(postponed, at, policy, failure)
    : proceed(postponed, at.nowMs)
}

function applyOutcome(
  delivery: Delivery,
  event: Extract<DeliveryEvent, { kind: 'outcome' }>,
  policy: RetryPolicy,
): Transition {
  const { state } = delivery
  return state.kind === 'attempting' && state.token === event.token
    ? conclude(delivery, state, event, policy)
    : lateEvidence(delivery, event, policy)
}

/** Transaction 2: what came of the attempt that this delivery waits for. */
function conclude(
  delivery: Delivery,
  {
    targets,
    isRepetition,
    repeatUntilMs = -Infinity,
  }: Extract<DeliveryState, { kind: 'attempting' }>,
  event: Extract<DeliveryEvent, { kind: 'outcome' }>,
  policy: RetryPolicy,
): Transition {
  const { outcome, nowMs, token } = event
  const replies = repliesOf(targets, outcome)
  const reply = outcome.reply || delivery.reply
  const state: DeliveryState = { kind: 'queued' }
  if (outcome.kind === 'done') {
    const accepted = markTargets(delivery.targets, replies, 'accepted')
    const done = { ...delivery, state, reply, targets: accepted, acceptedAtMs: nowMs, drops: 0 }
    return proceed(done, nowMs)
  }
  const rested: Delivery = { ...delivery, state, reply }
  switch (outcome.kind) {
    case 'refused': {
      // The relay may refuse a repetition because it has the mail.
      if (isRepetition) return proceed(held(rested, targets, outcome.reply), nowMs)
      const refused = markTargets(delivery.targets, replies, 'refused')
      return proceed({ ...rested, targets: refused, drops: 0 }, nowMs)
    }
    case 'deferred': {
      // About the relay it is no answer to this request: it uses up no retry.
      if (outcome.unavailable === true || isRepetition)
        return dropped(rested, event, policy, outcome)
      return proceed({ ...postpone(rested, replies, event, policy), drops: 0 }, nowMs)
    }
    case 'abandoned':
      // Certainly not delivered, and nobody said no: at once again, unless it keeps happening.
      return delivery.drops < 3
        ? proceed({ ...rested, drops: delivery.drops + 1 }, nowMs)
        : dropped(rested, event, policy, outcome)
    case 'unknown': {
      const { inDoubt } = delivery.plan
      const isRepeated = inDoubt === 'hold' && nowMs < repeatUntilMs
      const doubt: Doubt = { token, targets, relay: delivery.relay }
      const doubts = [...delivery.doubts, isRepeated ? { ...doubt, repeatUntilMs } : doubt]
      const doubted: Delivery = { ...rested, doubts }
      if (inDoubt === 'hold' && !isRepeated)
        return proceed(held(doubted, targets, outcome.reply), nowMs)
      // Sent again with the same bytes: the first time at once, then ever more slowly.
      return delivery.drops === 0
        ? proceed({ ...doubted, drops: 1 }, nowMs)
        : dropped(doubted, event, policy, outcome)
    }
  }
}

/**
 * Evidence about an attempt that was already given up as in doubt: it may revise an in-doubt end, once. As long as it leaves
 * somebody else in doubt nothing is revised, so the next evidence may still do it.
 */
function lateEvidence(
  delivery: Delivery,
  event: Extract<DeliveryEvent, { kind: 'outcome' }>,
  policy: RetryPolicy,
): Transition {
  const { outcome, nowMs, token } = event
  const { state } = delivery
  const doubt = delivery.doubts.find(each => each.token === token)
  if (doubt === undefined || outcome.kind === 'unknown') return same(delivery)
  if (state.kind === 'ended' && state.end !== 'in-doubt') return same(delivery)
  const status = statusAfter[outcome.kind]
  const served = concernedBy(doubt, delivery, status)
  const replies = repliesOf(served, outcome)
  const told: Delivery = {
    ...delivery,
    targets: markTargets(delivery.targets, replies, status),
    doubts: delivery.doubts.filter(each => each !== doubt),
    acceptedAtMs: outcome.kind === 'done' ? nowMs : delivery.acceptedAtMs,
    reply: outcome.reply,
  }
  // Known now not to have been delivered: it is tried again at once, unless the other side has named a time.
  const isLater = status === 'pending' && outcome.retryAfterMs !== undefined
  const known = isLater ? postpone(told, repliesOf(served, outcome), event, policy) : told
  if (state.kind === 'attempting' || served.length === 0) return same(known)
  if (status !== 'pending' && hasPending(known)) return same(known)
  const revising = delivery.revising || state.kind === 'ended'
  const next = proceed({ ...known, revising }, nowMs)
  const endsAgain = state.kind === 'ended' && next.delivery.state.kind === 'ended'
  return endsAgain && next.end === null ? same(known) : next
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
      // Nothing that was used up before the doubt is held against it.
      return same({
        ...startAfresh(known, replies),
        state: { kind: 'queued' },
        doubts: delivery.doubts.map(withoutRepetition),
      })
    case 'cancel':
      return same(delivery)
  }
}

function decided(delivery: Delivery, decision: Decision): Delivery {
  return { ...delivery, decisions: [...delivery.decisions, decision] }
}

/** That the other side took it stays true. Anything else is said by the latest attempt, and not while another one is in doubt. */
function concernedBy(doubt: Doubt, delivery: Delivery, status: TargetStatus): readonly string[] {
  if (status === 'accepted') return doubt.targets
  const { state, doubts } = delivery
  const later = state.kind === 'attempting' ? state.targets : []
  const others = doubts.filter(each => each !== doubt).flatMap(({ targets }) => targets)
  const elsewhere = new Set([...later, ...others])
  return doubt.targets.filter(target => !elsewhere.has(target))
}

const statusAfter = {
  done: 'accepted',
  refused: 'refused',
  deferred: 'pending',
  abandoned: 'pending',
} as const

/** One answer for all of them. */
function repliesOf(targets: readonly string[], outcome: Outcome): TargetReply[] {
  const { reply, retryAfterMs } = outcome
  return targets.map(target =>
    retryAfterMs === undefined ? { target, reply } : { target, reply, retryAfterMs },
  )
}

function arePending(delivery: Delivery, targets: readonly string[]): boolean {
  if (delivery.targets.length === 1) {
    const { target, status } = delivery.targets[0]!
    return status === 'pending' && targets.every(each => each === target)
  }
  const known = new Set(pendingTargets(delivery))
  return targets.every(target => known.has(target))
}

function hasPending(delivery: Delivery): boolean {
  return nextDueMs(delivery) < Infinity
}
