import { type Decision, type Delivery, newDelivery } from '../../src/effects/delivery.ts'
import type { DeliveryEvent } from '../../src/effects/delivery-event.ts'
import { deliver } from '../../src/effects/delivery-machine.ts'
import type { Transition } from '../../src/effects/delivery-rest.ts'
import type { RetryPolicy } from '../../src/effects/delivery-schedule.ts'
import type { EffectPlan } from '../../src/effects/effect.ts'
import type { FailedAttempt, Outcome, OutcomeKind, TargetReply } from '../../src/sinks/sink.ts'

export const secondMs = 1000
export const dayMs = 24 * 3600 * secondMs

/** Two retries, no chance in it: the second is ten times as late as the first. */
export const policy: RetryPolicy = { delaysMs: [10 * secondMs, 100 * secondMs], jitter: 0 }

export function planOf(plan: Partial<EffectPlan> = {}): EffectPlan {
  return {
    identity: 'r-1',
    targets: ['a', 'b'],
    firstSeenMs: 0,
    notBeforeMs: null,
    expiresAtMs: null,
    inDoubt: 'hold',
    priority: 0,
    ...plan,
  }
}

export function deliveryOf(plan: Partial<EffectPlan> = {}): Delivery {
  const payload = Buffer.from('payload')
  return newDelivery(planOf(plan), { key: Buffer.from('key'), headers: [], payload })
}

export function failureOf(failure: Partial<FailedAttempt> = {}): FailedAttempt {
  return {
    kind: 'failed',
    reached: true,
    refused: [],
    deferred: [],
    unavailable: false,
    reply: 'connection lost',
    messageId: 'm-1',
    relay: 'relay:25',
    ...failure,
  }
}

/** Transaction 1 of an attempt; its reply names the target, so that a test sees whose it is. */
export function attemptAt(
  nowMs: number,
  token: string,
  {
    accepted = ['a', 'b'],
    refused = [] as string[],
    deferred = [] as string[],
    repeatableForMs = 0,
  } = {},
): DeliveryEvent {
  return {
    kind: 'attempt',
    nowMs,
    chance: 0,
    attempt: {
      token,
      accepted,
      refused: refused.map(target => ({ target, reply: '550 no' })),
      deferred: deferred.map(target => ({ target, reply: '451 later' })),
      messageId: 'm-1',
      contentHash: 'hash',
      relay: 'relay:25',
      ...(repeatableForMs === 0 ? {} : { repeatableForMs }),
    },
  }
}

export function outcomeAt(
  nowMs: number,
  token: string,
  kind: OutcomeKind,
  more: Partial<Outcome> = {},
): DeliveryEvent {
  const outcome = { kind, reply: `said ${kind}`, ...more }
  return { kind: 'outcome', nowMs, chance: 0, token, outcome }
}

/** What these were told: not now. */
export function deferredOf(
  targets: readonly string[],
  said: Partial<TargetReply> = {},
): Pick<FailedAttempt, 'deferred'> {
  return { deferred: targets.map(target => ({ target, reply: '451 later', ...said })) }
}

export function failedAt(nowMs: number, failure: Partial<FailedAttempt> = {}): DeliveryEvent {
  return { kind: 'failed', nowMs, chance: 0, failure: failureOf(failure) }
}

/** Before a try, by the application. */
export function refusedAt(nowMs: number, ...targets: readonly string[]): DeliveryEvent {
  return {
    kind: 'refused',
    nowMs,
    refused: targets.map(target => ({ target, reply: '550 never' })),
  }
}

export function decisionOf<Kind extends Decision['kind']>(
  kind: Kind,
  decision: Partial<Decision> = {},
): Decision & { readonly kind: Kind } {
  return { by: 'ann', why: 'asked by phone', atMs: 7, ...decision, kind }
}

export function cancelledAt(nowMs: number): DeliveryEvent {
  return { kind: 'cancelled', nowMs, decision: decisionOf('cancel') }
}

/** About the in-doubt end that fell at `endedAtMs`. */
export function resolvedAt(
  nowMs: number,
  kind: 'sent' | 'resend' | 'fail',
  endedAtMs: number,
): DeliveryEvent {
  return { kind: 'resolved', nowMs, endedAtMs, decision: decisionOf(kind) }
}

/** What remains after all of them, and every end that was published on the way. */
export function after(
  delivery: Delivery,
  ...events: readonly DeliveryEvent[]
): Transition & { readonly ends: readonly string[] } {
  const ends: string[] = []
  let transition: Transition = { delivery, end: null }
  for (const event of events) {
    transition = deliver(transition.delivery, event, policy)
    if (transition.end !== null) ends.push(transition.end)
  }
  return { ...transition, ends }
}

/** The targets' fates in the plan's order. */
export function statusesOf({ targets }: Delivery): string[] {
  return targets.map(each => each.status)
}
