import { describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/effects/delivery.ts'
import type { DeliveryEvent } from '../../src/effects/delivery-event.ts'
import type { EffectPlan } from '../../src/effects/effect.ts'
import { isRepetitionOver, nextTargets, whyNoRepetition } from '../../src/effects/repetition.ts'
import type { PreparedAttempt } from '../../src/sinks/sink.ts'
import {
  after,
  attemptAt,
  cancelledAt,
  deliveryOf,
  failedAt,
  outcomeAt,
  refusedAt,
  resolvedAt,
  secondMs,
  statusesOf,
} from './delivery-fixture.ts'

const hourMs = 3600 * secondMs
/** The relay forgets after an hour; the last repetition begins 10 s before. */
const untilMs = hourMs - 10 * secondMs

const attempt = (nowMs: number, token: string, accepted = ['a', 'b']): DeliveryEvent =>
  attemptAt(nowMs, token, { accepted, repeatableForMs: hourMs })

const inDoubt = (
  plan: Partial<EffectPlan> = { repeatable: true },
  accepted: string[] = ['a', 'b'],
  atMs = 0,
) => after(deliveryOf(plan), attempt(0, 't-1', accepted), outcomeAt(atMs, 't-1', 'unknown'))

const kindOf = ({ state }: Delivery): string =>
  state.kind === 'ended' ? `ended ${state.end}` : state.kind

describe('an attempt in doubt', () => {
  test('is sent again to a relay that recognises it', () => {
    const { delivery, ends } = inDoubt()

    expect(kindOf(delivery)).toBe('queued')
    expect(ends).toEqual([])
    expect(statusesOf(delivery)).toEqual(['pending', 'pending'])
  })

  test.each([
    { plan: 'that says hold itself', change: { repeatable: false } },
    { plan: 'of the first release, which says nothing', change: {} },
  ])('of a request $plan is held', ({ change }) => {
    const { delivery, ends } = inDoubt(change)

    expect(ends).toEqual(['in-doubt'])
    expect(statusesOf(delivery)).toEqual(['unknown', 'unknown'])
  })

  test('at a relay that recognises nothing is held', () => {
    const { ends } = after(
      deliveryOf({ repeatable: true }),
      attemptAt(0, 't-1'),
      outcomeAt(0, 't-1', 'unknown'),
    )

    expect(ends).toEqual(['in-doubt'])
  })

  test.each([
    { atMs: untilMs - 1, ends: [] },
    { atMs: untilMs, ends: ['in-doubt'] },
  ])('that is known $atMs ms after its dot ends as $ends', ({ atMs, ends }) => {
    expect(inDoubt({ repeatable: true }, ['a', 'b'], atMs).ends).toEqual(ends)
  })

  test('counts its time from the first dot of the request, whatever came of that', () => {
    const { delivery } = after(
      deliveryOf({ repeatable: true }),
      attempt(0, 't-1'),
      outcomeAt(0, 't-1', 'deferred'),
      attempt(hourMs / 2, 't-2'),
      outcomeAt(hourMs / 2, 't-2', 'unknown'),
    )

    expect(isRepetitionOver(delivery, untilMs - 1)).toBe(false)
    expect(isRepetitionOver(delivery, untilMs)).toBe(true)
  })
})

describe('its repetition', () => {
  const repeat = (...events: readonly DeliveryEvent[]) =>
    after(inDoubt().delivery, attempt(1, 't-2'), ...events)

  test('that is accepted ends it as done', () => {
    expect(repeat(outcomeAt(2, 't-2', 'done')).ends).toEqual(['done'])
  })

  test('that is refused leaves it in doubt: the relay may refuse because it has the mail', () => {
    const { delivery, ends } = repeat(outcomeAt(2, 't-2', 'refused'))

    expect(ends).toEqual(['in-doubt'])
    expect(statusesOf(delivery)).toEqual(['unknown', 'unknown'])
  })

  test('that is deferred comes again soon, and uses up no retry', () => {
    const { delivery } = repeat(outcomeAt(2, 't-2', 'deferred'))

    expect(delivery.state).toEqual({ kind: 'waiting', dueMs: 2 + 2 * secondMs })
    expect(delivery.retries).toBe(0)
    expect(nextTargets(delivery, hourMs)).toEqual(['a', 'b'])
  })

  test('that is in doubt itself comes again, ever more slowly', () => {
    const { delivery } = repeat(outcomeAt(2, 't-2', 'unknown'))

    expect(delivery.state).toEqual({ kind: 'waiting', dueMs: 2 + 2 * secondMs })
  })

  test.each(['refused', 'deferred'] as const)(
    'whose recipients are %s before the dot says nothing about them',
    how => {
      const lists = {
        [how]: [
          { target: 'a', reply: '550 no' },
          { target: 'b', reply: '550 no' },
        ],
      }
      const { delivery, ends } = after(inDoubt().delivery, failedAt(1, lists))

      expect(kindOf(delivery)).toBe('waiting')
      expect(statusesOf(delivery)).toEqual(['pending', 'pending'])
      expect(ends).toEqual([])
    },
  )

  test('is held when its time is over', () => {
    const { delivery, ends } = after(inDoubt().delivery, {
      kind: 'repetition-over',
      nowMs: untilMs,
    })

    expect(ends).toEqual(['in-doubt'])
    expect(statusesOf(delivery)).toEqual(['unknown', 'unknown'])
  })

  test.each([
    { what: 'expires', event: { kind: 'expired', nowMs: 9 } as const },
    { what: 'is cancelled', event: cancelledAt(9) },
  ])('of a request that $what leaves it in doubt', ({ event }) => {
    expect(after(inDoubt().delivery, event).ends).toEqual(['in-doubt'])
  })

  test('is given up when one of its recipients may not be served any more', () => {
    const { delivery, ends } = after(inDoubt().delivery, refusedAt(9, 'a'))

    expect(ends).toEqual(['in-doubt'])
    expect(statusesOf(delivery)).toEqual(['unknown', 'unknown'])
  })

  test('is not needed once evidence has come', () => {
    expect(after(inDoubt().delivery, outcomeAt(1, 't-1', 'done')).ends).toEqual(['done'])
  })

  test('whose first attempt was never made still waits for its own answer', () => {
    const { delivery } = repeat(outcomeAt(2, 't-2', 'unknown'), outcomeAt(3, 't-1', 'abandoned'))

    expect(statusesOf(delivery)).toEqual(['pending', 'pending'])
    expect(delivery.doubts.map(({ token }) => token)).toEqual(['t-2'])
    expect(nextTargets(delivery, hourMs)).toEqual(['a', 'b'])
  })
})

test('what is known of one of two attempts in doubt sends nothing again: the other may have it', () => {
  const { delivery, ends } = after(
    deliveryOf(),
    attemptAt(0, 't-1'),
    outcomeAt(1, 't-1', 'unknown'),
    resolvedAt(2, 'resend', 1),
    attemptAt(3, 't-2'),
    outcomeAt(4, 't-2', 'unknown'),
    outcomeAt(5, 't-1', 'abandoned'),
  )

  expect(ends).toEqual(['in-doubt'])
  expect(kindOf(delivery)).toBe('ended in-doubt')
})

test('a person who has it sent again needs no relay that recognises it', () => {
  const { delivery } = after(
    inDoubt().delivery,
    { kind: 'repetition-over', nowMs: 5 },
    resolvedAt(6, 'resend', 5),
    attemptAt(7, 't-2'),
    outcomeAt(8, 't-2', 'refused'),
  )

  expect(kindOf(delivery)).toBe('ended refused')
})

describe('others of the same request', () => {
  const mixed = after(
    deliveryOf({ repeatable: true, targets: ['a', 'b', 'c'] }),
    attemptAt(0, 't-1', { accepted: ['a', 'b'], deferred: ['c'], repeatableForMs: hourMs }),
    outcomeAt(0, 't-1', 'unknown'),
  ).delivery

  test('are not served together with it', () => {
    expect(nextTargets(mixed, hourMs)).toEqual(['a', 'b'])
  })

  test('follow on their schedule when it has been answered', () => {
    const { delivery } = after(mixed, attempt(1, 't-2'), outcomeAt(2, 't-2', 'done'))

    expect(delivery.state).toEqual({ kind: 'waiting', dueMs: 10 * secondMs })
    expect(nextTargets(delivery, hourMs)).toEqual(['c'])
  })

  test('follow when it is held, and the end tells of both', () => {
    const { delivery, ends } = after(
      mixed,
      { kind: 'repetition-over', nowMs: 5 },
      attemptAt(6, 't-2', { accepted: ['c'] }),
      outcomeAt(7, 't-2', 'done'),
    )

    expect(ends).toEqual(['done'])
    expect(statusesOf(delivery)).toEqual(['unknown', 'unknown', 'accepted'])
  })
})

describe('what was prepared', () => {
  const prepared: PreparedAttempt = {
    kind: 'prepared',
    accepted: ['b', 'a'],
    refused: [],
    deferred: [],
    messageId: 'm-1',
    contentHash: 'hash',
    relay: 'relay:25',
    repeatableForMs: hourMs,
    perform: () => Promise.resolve({ kind: 'done', reply: '' }),
    abandon: () => undefined,
    lost: new Promise(() => undefined),
  }
  const { repeatableForMs: _, ...unrecognised } = prepared

  test.each([
    { what: 'for the same recipients repeats it', attempt: prepared, why: /^null$/ },
    { what: 'for fewer does not', attempt: { ...prepared, accepted: ['a'] }, why: /not all/ },
    { what: 'for others does not', attempt: { ...prepared, accepted: ['a', 'c'] }, why: /not all/ },
    { what: 'with other bytes does not', attempt: { ...prepared, contentHash: 'x' }, why: /bytes/ },
    {
      what: 'at a relay that is declared no more does not',
      attempt: unrecognised,
      why: /declared/,
    },
  ])('$what', ({ attempt: each, why }) => {
    const reason = whyNoRepetition(inDoubt().delivery, each)

    expect(String(reason)).toMatch(why)
  })

  test('repeats nothing where nothing is to be repeated', () => {
    expect(whyNoRepetition(deliveryOf(), unrecognised)).toBe(null)
  })
})
