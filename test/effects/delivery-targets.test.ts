import { describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/effects/delivery.ts'
import { dueTargets } from '../../src/effects/delivery.ts'
import {
  after,
  attemptAt,
  deferredOf,
  deliveryOf,
  failedAt,
  outcomeAt,
  secondMs,
  statusesOf,
} from './delivery-fixture.ts'

const minuteMs = 60 * secondMs
const queued = deliveryOf()
const three = deliveryOf({ targets: ['a', 'b', 'c'] })

describe('the relay says when to try again', () => {
  test.each([
    { rule: 'later than the schedule: then', retryAfterMs: minuteMs, dueMs: minuteMs },
    { rule: 'earlier than the schedule: as scheduled', retryAfterMs: 5 * secondMs, dueMs: 10_000 },
    { rule: 'beyond the schedule: at its end', retryAfterMs: 60 * minuteMs, dueMs: 110_000 },
  ])('$rule', ({ retryAfterMs, dueMs }) => {
    const told = deferredOf(['a', 'b'], { retryAfterMs })

    const before = after(queued, failedAt(0, told))
    const atDot = after(
      queued,
      attemptAt(0, 't-1'),
      outcomeAt(0, 't-1', 'deferred', { retryAfterMs }),
    )

    expect(before.delivery.state).toEqual({ kind: 'waiting', dueMs })
    expect(atDot.delivery.state).toEqual({ kind: 'waiting', dueMs })
  })

  test('and the mail expires before: it waits until then and no longer', () => {
    const short = deliveryOf({ expiresAtMs: 30 * secondMs })

    const told = after(short, failedAt(0, deferredOf(['a', 'b'], { retryAfterMs: minuteMs })))
    const expired = after(told.delivery, { kind: 'expired', nowMs: 30 * secondMs })

    expect(told.delivery.state).toEqual({ kind: 'waiting', dueMs: 30 * secondMs })
    expect(expired.ends).toEqual(['expired'])
  })

  test('of itself: nobody is asked before, and no retry is used up', () => {
    const busy = { unavailable: true, retryAfterMs: minuteMs }

    const before = after(queued, failedAt(0, busy))
    const atDot = after(queued, attemptAt(0, 't-1'), outcomeAt(0, 't-1', 'deferred', busy))

    for (const { delivery } of [before, atDot]) {
      expect(delivery.state).toEqual({ kind: 'waiting', dueMs: minuteMs })
      expect(delivery.targets.map(each => each.retries)).toEqual([0, 0])
    }
  })
})

describe('each recipient goes its own way', () => {
  const told: Delivery = after(
    queued,
    attemptAt(0, 't-1', { accepted: ['a'], deferred: ['b'] }),
    outcomeAt(5, 't-1', 'deferred', { retryAfterMs: minuteMs }),
  ).delivery

  test('the next try is for whoever comes first, and asks nobody else', () => {
    expect(told.state).toEqual({ kind: 'waiting', dueMs: 10_000 })
    expect(dueTargets(told, 10_000)).toEqual(['b'])
    expect(dueTargets(told, 60_005)).toEqual(['a', 'b'])
  })

  test('a clock that has gone back still leaves somebody to ask', () => {
    expect(dueTargets(told, 0)).toEqual(['b'])
  })

  test('the retries of one are not those of another', () => {
    const { delivery, ends } = after(
      told,
      failedAt(10_000, deferredOf(['b'])),
      failedAt(20_000, deferredOf(['b'])),
    )

    expect(ends).toEqual([])
    expect(statusesOf(delivery)).toEqual(['pending', 'refused'])
    expect(delivery.targets.map(each => each.retries)).toEqual([1, undefined])
    expect(delivery.state).toEqual({ kind: 'waiting', dueMs: 60_005 })
  })

  test.each([
    { rule: 'all were refused', last: 'refused' as const, end: 'retries-exhausted' },
    { rule: 'one was accepted', last: 'done' as const, end: 'done' },
    { rule: 'one is in doubt', last: 'unknown' as const, end: 'in-doubt' },
  ])('when the retries of one have run out and $rule, it ends as $end', ({ last, end }) => {
    const { ends } = after(
      told,
      failedAt(10_000, deferredOf(['b'])),
      attemptAt(110_000, 't-2', { accepted: ['a'], deferred: ['b'] }),
      outcomeAt(110_001, 't-2', last),
    )

    expect(ends).toEqual([end])
  })

  test('who was told nothing, because the connection broke, is asked again soon', () => {
    const { delivery } = after(three, failedAt(0, deferredOf(['a'])))

    expect(delivery.state).toEqual({ kind: 'waiting', dueMs: secondMs })
    expect(dueTargets(delivery, secondMs)).toEqual(['b', 'c'])
  })
})

describe('a relay takes only some recipients at a time', () => {
  const first = after(three, attemptAt(0, 't-1', { accepted: ['a'] }))

  test('the others are left, and nothing is used up for them', () => {
    expect(first.delivery.targets.map(each => each.retries)).toEqual([0, 0, 0])
    expect(dueTargets(first.delivery, 0)).toEqual(['a', 'b', 'c'])
  })

  test.each([
    { outcome: 'done' as const, next: ['b', 'c'] },
    { outcome: 'refused' as const, next: ['b', 'c'] },
    { outcome: 'deferred' as const, next: ['b', 'c'] },
    { outcome: 'unknown' as const, next: ['b', 'c'] },
    { outcome: 'abandoned' as const, next: ['a', 'b', 'c'] },
  ])('after $outcome the next attempt follows at once, for $next', ({ outcome, next }) => {
    const { delivery, ends } = after(first.delivery, outcomeAt(3, 't-1', outcome))

    expect(ends).toEqual([])
    expect(delivery.state).toEqual({ kind: 'queued' })
    expect(dueTargets(delivery, 3)).toEqual(next)
  })

  test('one request, several dots, one end', () => {
    const { delivery, ends } = after(
      first.delivery,
      outcomeAt(1, 't-1', 'done'),
      attemptAt(2, 't-2', { accepted: ['b'] }),
      outcomeAt(3, 't-2', 'done'),
      attemptAt(4, 't-3', { accepted: ['c'] }),
      outcomeAt(5, 't-3', 'refused'),
    )

    expect(ends).toEqual(['done'])
    expect(statusesOf(delivery)).toEqual(['accepted', 'accepted', 'refused'])
    expect(delivery).toMatchObject({ attempts: 3, acceptedAtMs: 3 })
  })

  test('a part in doubt leaves the others alone, and is all that is in doubt', () => {
    const { delivery, ends } = after(
      first.delivery,
      outcomeAt(1, 't-1', 'unknown'),
      attemptAt(2, 't-2', { accepted: ['b', 'c'] }),
      outcomeAt(3, 't-2', 'refused'),
    )

    expect(ends).toEqual(['in-doubt'])
    expect(statusesOf(delivery)).toEqual(['unknown', 'refused', 'refused'])
    expect(delivery.doubts).toMatchObject([{ token: 't-1', targets: ['a'] }])
  })

  test('an attempt that serves somebody who is settled is a bug', () => {
    const served = after(first.delivery, outcomeAt(1, 't-1', 'done')).delivery

    expect(() => after(served, attemptAt(2, 't-2', { accepted: ['a', 'b'] }))).toThrow(/settled/)
  })
})
