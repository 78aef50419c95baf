import type { DeliveryEvent } from '../../src/effects/delivery-event.ts'
import {
  after,
  attemptAt,
  cancelledAt,
  deliveryOf,
  failedAt,
  outcomeAt,
  refusedAt,
  resolvedAt,
} from '../effects/delivery-fixture.ts'

const refused = [
  { target: 'a', reply: '550 no' },
  { target: 'b', reply: '550 no' },
]
const deferred = [
  { target: 'a', reply: '451 later' },
  { target: 'b', reply: '451 later' },
]

/**
 * Every state. Of a part only the first recipient is served and the second was left for another attempt; in "attempting again" an earlier
 * attempt `t-0` is in doubt and the mail is being sent again.
 */
const queued = deliveryOf()
const attempting = after(queued, attemptAt(0, 't-1')).delivery
const toRepeat = after(
  deliveryOf({ repeatable: true }),
  attemptAt(0, 't-0', { repeatableForMs: 3_600_000 }),
  outcomeAt(0, 't-0', 'unknown'),
).delivery
export const deliveryStates = {
  queued,
  waiting: after(queued, failedAt(0)).delivery,
  attempting,
  'attempting a part': after(queued, attemptAt(0, 't-1', { accepted: ['a'] })).delivery,
  'attempting again': after(
    deliveryOf({ inDoubt: 'resend' }),
    attemptAt(0, 't-0'),
    outcomeAt(0, 't-0', 'unknown'),
    attemptAt(0, 't-1'),
  ).delivery,
  'to be repeated': toRepeat,
  repeating: after(toRepeat, attemptAt(0, 't-1', { repeatableForMs: 3_600_000 })).delivery,
  'ended in doubt': after(attempting, outcomeAt(1, 't-1', 'unknown')).delivery,
  ended: after(attempting, outcomeAt(1, 't-1', 'done')).delivery,
}

/** Every kind of event, by the name it has in the page. `t-1` is the latest attempt. */
export const deliveryEvents = {
  'accepted from the input': { kind: 'accepted', nowMs: 9 },
  'attempt (transaction 1)': attemptAt(9, 't-1'),
  'failed before the gate: all refused': failedAt(9, { refused }),
  'failed before the gate: not now': failedAt(9, { deferred }),
  'failed before the gate: not before a time': failedAt(9, {
    deferred: deferred.map(({ target, reply }) => ({ target, reply, retryAfterMs: 60_000 })),
  }),
  'failed before the gate: not now to one, nothing to the other': failedAt(9, {
    deferred: deferred.slice(0, 1),
  }),
  'failed before the gate: no answer': failedAt(9),
  'outcome: done': outcomeAt(9, 't-1', 'done'),
  'outcome: refused': outcomeAt(9, 't-1', 'refused'),
  'outcome: deferred': outcomeAt(9, 't-1', 'deferred'),
  'outcome: deferred, about the relay': outcomeAt(9, 't-1', 'deferred', { unavailable: true }),
  'outcome: abandoned': outcomeAt(9, 't-1', 'abandoned'),
  'outcome: unknown': outcomeAt(9, 't-1', 'unknown'),
  'late evidence: done': outcomeAt(9, 't-0', 'done'),
  'late evidence: refused': outcomeAt(9, 't-0', 'refused'),
  'refused before a try': refusedAt(9, 'a', 'b'),
  'repetition over': { kind: 'repetition-over', nowMs: 9 },
  expired: { kind: 'expired', nowMs: 9 },
  cancelled: cancelledAt(9),
  'resolved by a person: sent': resolvedAt(9, 'sent', 1),
  'resolved by a person: send again': resolvedAt(9, 'resend', 1),
  'resolved by a person: failed': resolvedAt(9, 'fail', 1),
} as const satisfies Record<string, DeliveryEvent>
