import type { TargetReply } from '../sinks/sink.ts'
import type { EffectOrigin, EffectPlan, EndKind, TargetState } from './effect.ts'

/** An attempt whose fate is not known: the dot may have been written. */
export interface Doubt {
  readonly token: string
  readonly targets: readonly string[]
  /** Whom it went to; entries of the first release do not say it. */
  readonly relay?: string | null
  /** Until then it is sent again to its relay, which recognises it, wall clock, milliseconds. */
  readonly repeatUntilMs?: number
}

/** What a person decided about a request; kept with it for the audit. */
export interface Decision {
  /** `sent` and `fail` say how an in-doubt request ended, `resend` has it tried again. */
  readonly kind: 'cancel' | 'sent' | 'resend' | 'fail'
  readonly by: string
  /** '' where nobody gave a reason. */
  readonly why: string
  /** When it was decided, wall clock of that person's machine, milliseconds. */
  readonly atMs: number
}

/** One readable line; it is what subscribers find in the outcome's detail. */
export function decisionText({ kind, by, why }: Decision): string {
  const what = {
    cancel: 'cancelled',
    sent: 'resolved as sent',
    resend: 'resolved to be sent again',
    fail: 'resolved as failed',
  }[kind]
  return `${what} by ${by}${why === '' ? '' : `: ${why}`}`
}

/**
 * `queued`: try as soon as there is room. `waiting`: not before a time. `attempting`: transaction 1 has committed, the last
 * step may have been taken; only evidence about its token moves it. `ended`: nothing more happens by itself.
 */
export type DeliveryState =
  | { readonly kind: 'queued' }
  | { readonly kind: 'waiting'; readonly dueMs: number }
  | {
      readonly kind: 'attempting'
      readonly token: string
      readonly targets: readonly string[]
      /** Should it end in doubt it may be repeated until then, wall clock, milliseconds. */
      readonly repeatUntilMs?: number
      /** It repeats an attempt in doubt. */
      readonly isRepetition?: boolean
    }
  | { readonly kind: 'ended'; readonly end: EndKind; readonly atMs: number }

/** One request on its way, as the store keeps it. Immutable. */
export interface Delivery {
  readonly plan: Omit<EffectPlan, 'targets'>
  readonly targets: readonly TargetState[]
  readonly state: DeliveryState
  /** Tries that reached the other side. */
  readonly attempts: number
  /** The most retry delays that a pending target has used up; an older release knows no others. */
  readonly retries: number
  /** Tries in a row that ended without any answer. They have a back-off of their own and use up no retry. */
  readonly drops: number
  readonly firstTryMs: number | null
  /** The first transaction 1: no relay has seen a final dot before. Entries of the first release do not say it. */
  readonly firstDotMs?: number
  readonly messageId: string | null
  readonly contentHash: string | null
  readonly relay: string | null
  readonly reply: string
  /** When the last accepting answer was read. */
  readonly acceptedAtMs: number | null
  readonly doubts: readonly Doubt[]
  /** True once an in-doubt end was published: one more end may follow, and no third. */
  readonly revising: boolean
  /** What people decided about it, in order. */
  readonly decisions: readonly Decision[]
  readonly key: Buffer
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
  /** Where it was read; kept by effects whose requests may end as dead letters. */
  readonly origin?: EffectOrigin
  /** The request as it was read; emptied with an end that cannot be revised. */
  readonly payload: Buffer
}

export function newDelivery(
  plan: EffectPlan,
  record: Pick<Delivery, 'key' | 'headers' | 'origin' | 'payload'>,
): Delivery {
  const { targets, ...rest } = plan
  const delivery: Delivery = {
    plan: rest,
    targets: targets.map(target => ({ target, status: 'pending', reply: '', retries: 0 })),
    state: { kind: 'queued' },
    attempts: 0,
    retries: 0,
    drops: 0,
    firstTryMs: null,
    messageId: null,
    contentHash: null,
    relay: null,
    reply: '',
    acceptedAtMs: null,
    doubts: [],
    revising: false,
    decisions: [],
    key: record.key,
    headers: record.headers,
    payload: record.payload,
  }
  return record.origin === undefined ? delivery : { ...delivery, origin: placeOf(record.origin) }
}

/** A place may be given as the whole record that stood there. */
function placeOf({ topic, partition, offset }: EffectOrigin): EffectOrigin {
  return { topic, partition, offset }
}

export function pendingTargets({ targets }: Delivery): string[] {
  if (targets.length === 1) {
    const { target, status } = targets[0]!
    return status === 'pending' ? [target] : []
  }
  const pending: string[] = []
  for (const { target, status } of targets) if (status === 'pending') pending.push(target)
  return pending
}

/** When the next pending target's turn comes, wall clock, milliseconds: -Infinity when it has come; Infinity when nobody is pending. */
export function nextDueMs({ targets }: Delivery): number {
  return targets.reduce(
    (earliest, each) =>
      each.status === 'pending' ? Math.min(earliest, each.dueMs ?? -Infinity) : earliest,
    Infinity,
  )
}

/** Whom a try is for: those whose turn has come. Where a clock has gone back that is at least who comes first. */
export function dueTargets(delivery: Delivery, nowMs: number): string[] {
  // The only one is who comes first.
  if (delivery.targets.length === 1) return pendingTargets(delivery)
  const untilMs = Math.max(nowMs, nextDueMs(delivery))
  return delivery.targets.flatMap(({ target, status, dueMs = -Infinity }) =>
    status === 'pending' && dueMs <= untilMs ? [target] : [],
  )
}

/** Whom a try must go to: as long as an attempt is in doubt nobody else than who may have it is given the mail. */
export function onlyRelayOf({ doubts, relay }: Delivery): string | null {
  const first = doubts[0]
  return first === undefined ? null : (first.relay ?? relay)
}

/** Gives the listed targets a status and a reply; a settled target (accepted, refused) never changes again. */
export function markTargets(
  targets: readonly TargetState[],
  replies: readonly TargetReply[],
  status: TargetState['status'],
): readonly TargetState[] {
  if (replies.length === 0) return targets
  if (replies.length === 1) {
    const { target, reply } = replies[0]!
    return targets.map(each => (each.target === target ? marked(each, reply, status) : each))
  }
  const byTarget = new Map(replies.map(each => [each.target, each.reply]))
  return targets.map(each => {
    const reply = byTarget.get(each.target)
    return reply === undefined ? each : marked(each, reply, status)
  })
}

function marked(each: TargetState, reply: string, status: TargetState['status']): TargetState {
  if (isSettled(each.status)) return each
  const { target, retries = 0 } = each
  return isSettled(status) ? { target, status, reply } : { target, status, reply, retries }
}

function isSettled(status: TargetState['status']): boolean {
  return status === 'accepted' || status === 'refused'
}

/** Whether evidence about this token can say anything about the request. */
export function concerns({ state, doubts }: Delivery, token: string): boolean {
  return (
    (state.kind === 'attempting' && state.token === token) ||
    doubts.some(each => each.token === token)
  )
}
