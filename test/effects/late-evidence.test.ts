import { dueTargets } from '../../src/effects/delivery.ts'
import { expect, test } from 'vitest'
import {
  after,
  attemptAt,
  deliveryOf,
  failedAt,
  outcomeAt,
  statusesOf,
} from './delivery-fixture.ts'

const inDoubt = after(deliveryOf(), attemptAt(0, 't-1'), outcomeAt(1, 't-1', 'unknown')).delivery
const later = { deferred: [{ target: 'b', reply: '451 later' }] }

/** One recipient in doubt, one that waits for its retry. */
const half = after(
  deliveryOf(),
  attemptAt(0, 't-1', { accepted: ['a'], deferred: ['b'] }),
  outcomeAt(1, 't-1', 'unknown'),
).delivery

test.each([
  { outcome: 'done' as const, end: 'done', statuses: ['accepted', 'accepted'] },
  { outcome: 'refused' as const, end: 'refused', statuses: ['refused', 'refused'] },
])('evidence of $outcome revises an in-doubt end', ({ outcome, end, statuses }) => {
  const result = after(inDoubt, outcomeAt(9, 't-1', outcome))

  expect(result.ends).toEqual([end])
  expect(result.delivery.revising).toBe(true)
  expect(statusesOf(result.delivery)).toEqual(statuses)
})

test.each(['done', 'refused', 'abandoned', 'deferred'] as const)(
  'a revised end is final, whatever else is said (%s)',
  outcome => {
    const revised = after(inDoubt, outcomeAt(9, 't-1', 'done')).delivery

    expect(after(revised, outcomeAt(10, 't-1', outcome)).delivery).toBe(revised)
  },
)

test.each(['abandoned', 'deferred'] as const)(
  'evidence that nothing was delivered (%s) sends it again, and what comes of that is the revision',
  outcome => {
    const again = after(inDoubt, outcomeAt(9, 't-1', outcome))
    const result = after(again.delivery, attemptAt(10, 't-2'), outcomeAt(11, 't-2', 'done'))

    expect(again.ends).toEqual([])
    expect(again.delivery.state).toEqual({ kind: 'queued' })
    expect(result.ends).toEqual(['done'])
    expect(result.delivery.revising).toBe(true)
  },
)

test('a second in-doubt end is not published, and evidence may still resolve it', () => {
  const again = after(inDoubt, outcomeAt(9, 't-1', 'abandoned')).delivery

  const doubtedAgain = after(again, attemptAt(10, 't-2'), outcomeAt(11, 't-2', 'unknown'))
  const resolved = after(doubtedAgain.delivery, outcomeAt(12, 't-2', 'done'))

  expect(doubtedAgain.ends).toEqual([])
  expect(resolved.ends).toEqual(['done'])
  expect(resolved.delivery.revising).toBe(true)
})

test('an end is revised once, however many doubts there were on the way to it', () => {
  const result = after(
    inDoubt,
    outcomeAt(9, 't-1', 'abandoned'),
    attemptAt(10, 't-2', { accepted: ['a'], deferred: ['b'] }),
    outcomeAt(11, 't-2', 'unknown'),
    outcomeAt(12, 't-2', 'abandoned'),
    attemptAt(13, 't-3'),
    outcomeAt(14, 't-3', 'unknown'),
  )

  expect(result.ends).toEqual([])
  expect(after(result.delivery, outcomeAt(15, 't-3', 'done')).ends).toEqual(['done'])
})

test('evidence that leaves another recipient in doubt is no revision: the next one is', () => {
  const both = after(
    half,
    attemptAt(20, 't-2', { accepted: ['b'] }),
    outcomeAt(21, 't-2', 'unknown'),
  )
  const first = after(both.delivery, outcomeAt(30, 't-1', 'refused'))
  const second = after(first.delivery, outcomeAt(31, 't-2', 'done'))

  expect(both.ends).toEqual(['in-doubt'])
  expect(first.ends).toEqual([])
  expect(first.delivery.state).toEqual(both.delivery.state)
  expect(statusesOf(first.delivery)).toEqual(['refused', 'unknown'])
  expect(second.ends).toEqual(['done'])
})

test('evidence about one recipient leaves the retry of the other alone', () => {
  const result = after(half, outcomeAt(5, 't-1', 'done'))

  expect(result.ends).toEqual([])
  expect(result.delivery.state).toEqual(half.state)
  expect(statusesOf(result.delivery)).toEqual(['accepted', 'pending'])
  expect(result.delivery.revising).toBe(false)
})

test('evidence that comes while another attempt is under way is kept, and the attempt goes on', () => {
  const attempting = after(half, attemptAt(20, 't-2', { accepted: ['b'] })).delivery

  const told = after(attempting, outcomeAt(21, 't-1', 'done'))
  const result = after(told.delivery, outcomeAt(22, 't-2', 'refused'))

  expect(told.ends).toEqual([])
  expect(told.delivery.state).toEqual(attempting.state)
  expect(statusesOf(result.delivery)).toEqual(['accepted', 'refused'])
  expect(result.ends).toEqual(['done'])
})

test('a recipient known not to be served, told while another attempt is under way, is tried after it', () => {
  const result = after(
    half,
    attemptAt(20, 't-2', { accepted: ['b'] }),
    outcomeAt(21, 't-1', 'abandoned'),
    outcomeAt(22, 't-2', 'done'),
  )

  expect(result.ends).toEqual([])
  expect(statusesOf(result.delivery)).toEqual(['pending', 'accepted'])
  expect(result.delivery.state.kind).toBe('queued')
})

test.each([
  { while: 'the request has ended in doubt', event: outcomeAt(20, 't-2', 'refused') },
  { while: 'another attempt is under way', event: undefined },
])(
  'a recipient that late evidence defers is asked no earlier than it says: $while',
  ({ event }) => {
    const told = outcomeAt(21, 't-1', 'deferred', { retryAfterMs: 60_000 })
    const before = after(half, attemptAt(20, 't-2', { accepted: ['b'] }), ...(event ? [event] : []))

    const { delivery } = after(
      before.delivery,
      told,
      ...(event ? [] : [outcomeAt(22, 't-2', 'refused')]),
    )

    expect(delivery.state).toEqual({ kind: 'waiting', dueMs: 60_021 })
    expect(dueTargets(delivery, 60_021)).toEqual(['a'])
  },
)

test('with one recipient in doubt for good, the others still settle', () => {
  const result = after(half, failedAt(20, later), failedAt(200, later))

  expect(result.ends).toEqual(['in-doubt'])
  expect(statusesOf(result.delivery)).toEqual(['unknown', 'refused'])
})

test.each(['abandoned', 'unknown'] as const)(
  'sent again and told meanwhile that the first was taken, it is done (the second: %s)',
  outcome => {
    const resend = deliveryOf({ inDoubt: 'resend' })
    for (const drops of [0, 3]) {
      const result = after(
        { ...resend, drops },
        attemptAt(0, 't-1'),
        outcomeAt(1, 't-1', 'unknown'),
        attemptAt(2, 't-2'),
        outcomeAt(3, 't-1', 'done'),
        outcomeAt(4, 't-2', outcome),
      )

      expect(result.ends).toEqual(['done'])
    }
  },
)

test('a later attempt says the last word about whom it serves: refused before is no answer to it', () => {
  const result = after(
    deliveryOf({ inDoubt: 'resend' }),
    attemptAt(0, 't-1'),
    outcomeAt(1, 't-1', 'unknown'),
    attemptAt(2, 't-2', { accepted: ['a'], deferred: ['b'] }),
    outcomeAt(3, 't-1', 'refused'),
    outcomeAt(4, 't-2', 'done'),
  )

  expect(result.ends).toEqual(['done'])
  expect(statusesOf(result.delivery)).toEqual(['accepted', 'refused'])
})
