import { expect, test } from 'vitest'
import type { Delivery } from '../../src/effects/delivery.ts'
import { deliverySerde } from '../../src/effects/outbox.ts'
import {
  after,
  attemptAt,
  cancelledAt,
  decisionOf,
  deliveryOf,
  failedAt,
  outcomeAt,
  resolvedAt,
  statusesOf,
} from './delivery-fixture.ts'

/** Ended in doubt at 1. */
const inDoubt = after(deliveryOf(), attemptAt(0, 't-1'), outcomeAt(1, 't-1', 'unknown')).delivery
const later = { deferred: [{ target: 'a', reply: '451 later' }] }

test.each([
  { kind: 'sent' as const, end: 'done', statuses: ['accepted', 'accepted'] },
  { kind: 'fail' as const, end: 'cancelled', statuses: ['refused', 'refused'] },
])('resolved as $kind an in-doubt end is revised as $end', ({ kind, end, statuses }) => {
  const { delivery, ends } = after(inDoubt, resolvedAt(9, kind, 1))

  expect(ends).toEqual([end])
  expect(statusesOf(delivery)).toEqual(statuses)
  expect(delivery.state).toEqual({ kind: 'ended', end, atMs: 9 })
  expect(delivery.revising).toBe(true)
  expect(delivery.decisions).toEqual([decisionOf(kind)])
})

test('who decided, and why, stands in place of the reply that nobody read', () => {
  const { delivery } = after(inDoubt, resolvedAt(9, 'sent', 1))

  expect(delivery.reply).toBe('resolved as sent by ann: asked by phone')
  expect(delivery.targets.map(each => each.reply)).toEqual([delivery.reply, delivery.reply])
  expect(delivery.acceptedAtMs).toBe(9)
})

test('a recipient that was refused before stays refused, whatever is decided about the others', () => {
  const one = after(
    deliveryOf(),
    attemptAt(0, 't-1', { accepted: ['a'], refused: ['b'] }),
    outcomeAt(1, 't-1', 'unknown'),
  ).delivery

  expect(statusesOf(after(one, resolvedAt(9, 'sent', 1)).delivery)).toEqual(['accepted', 'refused'])
  expect(statusesOf(after(one, resolvedAt(9, 'resend', 1)).delivery)).toEqual([
    'pending',
    'refused',
  ])
})

test.each(['done', 'refused'] as const)(
  'sent again it ends by what comes of that (%s)',
  outcome => {
    const again = after(inDoubt, resolvedAt(9, 'resend', 1))
    const { ends, delivery } = after(
      again.delivery,
      attemptAt(10, 't-2'),
      outcomeAt(11, 't-2', outcome),
    )

    expect(again.ends).toEqual([])
    expect(again.delivery.state).toEqual({ kind: 'queued' })
    expect(again.delivery.payload).toBe(inDoubt.payload)
    expect(ends).toEqual([outcome])
    expect(delivery.revising).toBe(true)
  },
)

test('sent again it has all its retries and all its time, however many were used up before', () => {
  const tired: Delivery = { ...inDoubt, retries: 2, drops: 9, firstTryMs: 0 }

  const again = after(tired, resolvedAt(9, 'resend', 1)).delivery

  expect(again).toMatchObject({ retries: 0, drops: 0, firstTryMs: null })
})

test.each([
  { state: 'queued', from: deliveryOf(), endedAtMs: 0 },
  { state: 'attempting', from: after(deliveryOf(), attemptAt(0, 't-1')).delivery, endedAtMs: 0 },
  { state: 'waiting', from: after(deliveryOf(), failedAt(1, later)).delivery, endedAtMs: 1 },
  {
    state: 'done',
    from: after(deliveryOf(), attemptAt(0, 't'), outcomeAt(1, 't', 'done')).delivery,
    endedAtMs: 1,
  },
  { state: 'resolved', from: after(inDoubt, resolvedAt(1, 'fail', 1)).delivery, endedAtMs: 1 },
  { state: 'sent again', from: after(inDoubt, resolvedAt(1, 'resend', 1)).delivery, endedAtMs: 1 },
])('what is $state is not in doubt: a decision changes nothing', ({ from, endedAtMs }) => {
  for (const kind of ['sent', 'resend', 'fail'] as const) {
    const { delivery, ends } = after(from, resolvedAt(9, kind, endedAtMs))

    expect(delivery).toBe(from)
    expect(ends).toEqual([])
  }
})

test('an order to send again that is given twice sends once, though it ended in doubt in between', () => {
  const again = after(
    inDoubt,
    resolvedAt(9, 'resend', 1),
    attemptAt(10, 't-2'),
    outcomeAt(11, 't-2', 'unknown'),
  ).delivery

  expect(after(again, resolvedAt(12, 'resend', 1)).delivery).toBe(again)
  expect(after(again, resolvedAt(12, 'sent', 11)).ends).toEqual(['done'])
})

test('late evidence does not revise what a person has resolved', () => {
  const resolved = after(inDoubt, resolvedAt(9, 'fail', 1)).delivery

  expect(after(resolved, outcomeAt(10, 't-1', 'done')).delivery).toBe(resolved)
})

test('what is cancelled says who did it, and keeps the last word of the other side', () => {
  const text = 'cancelled by ann: asked by phone'
  const fresh = after(deliveryOf(), cancelledAt(5)).delivery
  const tried = after(deliveryOf({ targets: ['a'] }), failedAt(1, later), cancelledAt(5)).delivery

  expect(fresh.targets.map(each => each.reply)).toEqual([text, text])
  expect(tried.targets.map(each => each.reply)).toEqual(['451 later'])
  expect([fresh, tried].map(each => each.decisions)).toEqual([
    [decisionOf('cancel')],
    [decisionOf('cancel')],
  ])
})

test('an entry that was written before anybody could decide is read as one without decisions', () => {
  const bytes = deliverySerde.serialize(deliveryOf())
  const text = bytes.toString('latin1').replace(',"decisions":[]', '')
  const old = Buffer.from(text, 'latin1')
  old.writeUInt32BE(bytes.readUInt32BE(1) - ',"decisions":[]'.length, 1)

  expect(deliverySerde.deserialize(old)).toEqual(deliveryOf())
})
