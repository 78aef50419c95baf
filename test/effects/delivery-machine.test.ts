import { expect, test } from 'vitest'
import type { Delivery } from '../../src/effects/delivery.ts'
import type { DeliveryEvent } from '../../src/effects/delivery-event.ts'
import { deliver } from '../../src/effects/delivery-machine.ts'
import {
  after,
  attemptAt,
  cancelledAt,
  dayMs,
  deferredOf,
  deliveryOf,
  failedAt,
  outcomeAt,
  policy,
  secondMs,
  statusesOf,
} from './delivery-fixture.ts'

const queued = deliveryOf()
const waiting = after(queued, failedAt(0)).delivery
const attempting = after(queued, attemptAt(0, 't-1')).delivery
const ended = after(attempting, outcomeAt(1, 't-1', 'done')).delivery
const inDoubt = after(attempting, outcomeAt(1, 't-1', 'unknown')).delivery

test('the states of the tables below are what their names say', () => {
  expect([queued, waiting, attempting, ended, inDoubt].map(({ state }) => state)).toEqual([
    { kind: 'queued' },
    { kind: 'waiting', dueMs: 1000 },
    { kind: 'attempting', token: 't-1', targets: ['a', 'b'] },
    { kind: 'ended', end: 'done', atMs: 1 },
    { kind: 'ended', end: 'in-doubt', atMs: 1 },
  ])
})

/** Every event that nobody waits for in that state: it says nothing, and that is told by the very same object. */
test.each<{ state: string; from: Delivery; event: DeliveryEvent }>([
  { state: 'queued', from: queued, event: { kind: 'accepted', nowMs: 5 } },
  { state: 'queued', from: queued, event: outcomeAt(5, 't-1', 'done') },
  { state: 'waiting', from: waiting, event: outcomeAt(5, 't-1', 'done') },
  { state: 'attempting', from: attempting, event: failedAt(5) },
  { state: 'attempting', from: attempting, event: { kind: 'expired', nowMs: 5 } },
  { state: 'attempting', from: attempting, event: cancelledAt(5) },
  { state: 'attempting', from: attempting, event: outcomeAt(5, 't-0', 'done') },
  { state: 'ended', from: ended, event: failedAt(5) },
  { state: 'ended', from: ended, event: { kind: 'expired', nowMs: 5 } },
  { state: 'ended', from: ended, event: cancelledAt(5) },
  { state: 'ended', from: ended, event: outcomeAt(5, 't-1', 'done') },
  { state: 'ended', from: ended, event: outcomeAt(5, 't-1', 'unknown') },
  { state: 'in doubt', from: inDoubt, event: failedAt(5) },
  { state: 'in doubt', from: inDoubt, event: { kind: 'expired', nowMs: 5 } },
  { state: 'in doubt', from: inDoubt, event: outcomeAt(5, 't-1', 'unknown') },
  { state: 'in doubt', from: inDoubt, event: outcomeAt(5, 't-2', 'done') },
])('$state: $event.kind $event.token says nothing', ({ from, event }) => {
  const transition = deliver(from, event, policy)

  expect(transition.delivery).toBe(from)
  expect(transition.end).toBeNull()
})

test.each([
  { state: 'waiting', from: waiting },
  { state: 'queued', from: queued },
])('$state: it can expire and be cancelled', ({ from }) => {
  expect(after(from, { kind: 'expired', nowMs: 5 }).ends).toEqual(['expired'])
  expect(after(from, cancelledAt(5)).ends).toEqual(['cancelled'])
})

test.each([
  { rule: 'is tried at once', plan: {}, state: { kind: 'queued' } },
  {
    rule: 'waits for notBefore',
    plan: { notBeforeMs: 60 },
    state: { kind: 'waiting', dueMs: 60 },
  },
  {
    rule: 'does not wait for a notBefore that has passed',
    plan: { notBeforeMs: 50 },
    state: { kind: 'queued' },
  },
  {
    rule: 'waits no longer than it may live',
    plan: { notBeforeMs: 90, expiresAtMs: 70 },
    state: { kind: 'waiting', dueMs: 70 },
  },
  {
    rule: 'expires at its very time',
    plan: { expiresAtMs: 50 },
    state: { kind: 'ended', end: 'expired', atMs: 50 },
  },
])('accepted: $rule', ({ plan, state }) => {
  expect(after(deliveryOf(plan), { kind: 'accepted', nowMs: 50 }).delivery.state).toEqual(state)
})

test('an attempt is recorded with everything the next owner needs', () => {
  const three = deliveryOf({ targets: ['a', 'b', 'c'] })

  const event = attemptAt(7, 't-1', { accepted: ['a'], refused: ['b'], deferred: ['c'] })
  const { delivery, end } = deliver(three, event, policy)

  expect(end).toBeNull()
  expect(delivery).toMatchObject({
    state: { kind: 'attempting', token: 't-1', targets: ['a'] },
    targets: [
      { target: 'a', status: 'pending', reply: '' },
      { target: 'b', status: 'refused', reply: '550 no' },
      { target: 'c', status: 'pending', reply: '451 later' },
    ],
    attempts: 1,
    firstTryMs: 7,
    messageId: 'm-1',
    contentHash: 'hash',
    relay: 'relay:25',
  })
})

test('an attempt that serves nobody, or begins while another is under way, is a bug', () => {
  expect(() => deliver(queued, attemptAt(0, 't-1', { accepted: [] }), policy)).toThrow(/serves/)
  expect(() => deliver(attempting, attemptAt(0, 't-2'), policy)).toThrow(/from rest/)
})

test.each([
  { outcome: 'done' as const, ends: ['done'], statuses: ['accepted', 'accepted'] },
  { outcome: 'refused' as const, ends: ['refused'], statuses: ['refused', 'refused'] },
  { outcome: 'deferred' as const, ends: [], statuses: ['pending', 'pending'] },
  { outcome: 'abandoned' as const, ends: [], statuses: ['pending', 'pending'] },
  { outcome: 'unknown' as const, ends: ['in-doubt'], statuses: ['unknown', 'unknown'] },
])('attempting: $outcome', ({ outcome, ends, statuses }) => {
  const result = after(attempting, outcomeAt(9, 't-1', outcome))

  expect(result.ends).toEqual(ends)
  expect(statusesOf(result.delivery)).toEqual(statuses)
})

test('what was accepted is done at the time of the answer, whatever becomes of the others', () => {
  const result = after(
    queued,
    attemptAt(0, 't-1', { accepted: ['a'], deferred: ['b'] }),
    outcomeAt(5, 't-1', 'done'),
    failedAt(20, { deferred: [{ target: 'b', reply: '451 later' }] }),
    failedAt(200, { deferred: [{ target: 'b', reply: '451 still' }] }),
  )

  expect(result.ends).toEqual(['done'])
  expect(result.delivery.acceptedAtMs).toBe(5)
  expect(result.delivery.targets).toMatchObject([
    { target: 'a', status: 'accepted', reply: 'said done' },
    { target: 'b', status: 'refused', reply: '451 still' },
  ])
})

test('a recipient that is settled is never asked again and keeps its answer', () => {
  const half = after(
    queued,
    attemptAt(0, 't-1', { accepted: ['a'], deferred: ['b'] }),
    outcomeAt(5, 't-1', 'done'),
    attemptAt(20, 't-2', { accepted: ['b'], refused: ['a'] }),
    outcomeAt(25, 't-2', 'refused'),
  )

  expect(half.ends).toEqual(['done'])
  expect(statusesOf(half.delivery)).toEqual(['accepted', 'refused'])
  expect(half.delivery.targets[0]?.reply).toBe('said done')
})

test('each "not now" uses up one retry, and when none is left the request ends', () => {
  const later = deferredOf(['a', 'b'])

  const first = after(queued, failedAt(0, later))
  const second = after(first.delivery, failedAt(10_000, later))
  const third = after(second.delivery, failedAt(110_000, later))

  expect(first.delivery.state).toEqual({ kind: 'waiting', dueMs: 10_000 })
  expect(second.delivery.state).toEqual({ kind: 'waiting', dueMs: 110_000 })
  expect(third.ends).toEqual(['retries-exhausted'])
  expect(third.delivery.targets.map(each => each.reply)).toEqual(['451 later', '451 later'])
})

test('chance makes a retry later, never earlier', () => {
  const event = { ...failedAt(0, deferredOf(['a', 'b'])), chance: 0.5 }
  const silence = { ...failedAt(0), chance: 0.5 }

  const [told, untold] = [event, silence].map(each =>
    deliver(queued, each, { ...policy, jitter: 0.2 }),
  )

  expect(told?.delivery.state).toEqual({ kind: 'waiting', dueMs: 11_000 })
  expect(untold?.delivery.state).toEqual({ kind: 'waiting', dueMs: 1100 })
})

test('no answer at all backs off from 1 s to 5 minutes and uses up no retry', () => {
  const delaysMs: number[] = []
  let delivery = queued
  for (let tries = 0; tries < 11; tries += 1) {
    ;({ delivery } = after(delivery, failedAt(0)))
    if (delivery.state.kind === 'waiting') delaysMs.push(delivery.state.dueMs)
  }

  expect(delaysMs.map(each => each / secondMs)).toEqual([
    1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300,
  ])
  expect(delivery.retries).toBe(0)
})

test('an answer ends the back-off of silence', () => {
  const silent = after(queued, failedAt(0), failedAt(0), failedAt(0)).delivery

  const answered = after(silent, failedAt(0, deferredOf(['a', 'b']))).delivery

  expect(silent.drops).toBe(3)
  expect(answered.drops).toBe(0)
})

test('silence is endured for four days from the first try', () => {
  const atLimit = after(queued, failedAt(0), failedAt(4 * dayMs))
  const beyond = after(queued, failedAt(0), failedAt(4 * dayMs + 1))

  expect(atLimit.ends).toEqual([])
  expect(beyond.ends).toEqual(['retries-exhausted'])
})

test('only tries that reached the other side are counted', () => {
  const { delivery } = after(
    queued,
    failedAt(0, { reached: false, deferred: [{ target: 'a', reply: '' }] }),
    failedAt(0),
    attemptAt(0, 't-1'),
  )

  expect(delivery.attempts).toBe(2)
})

test('abandoned three times it is tried at once, then ever more slowly', () => {
  let delivery = queued
  const states = [1, 2, 3, 4].map(number => {
    const token = `t-${number}`
    ;({ delivery } = after(delivery, attemptAt(0, token), outcomeAt(0, token, 'abandoned')))
    return delivery.state.kind
  })

  expect(states).toEqual(['queued', 'queued', 'queued', 'waiting'])
})

test('with resend what is in doubt is sent again to the same, at once and then later', () => {
  const result = after(
    deliveryOf({ inDoubt: 'resend' }),
    attemptAt(0, 't-1'),
    outcomeAt(0, 't-1', 'unknown'),
  )
  const again = after(result.delivery, attemptAt(0, 't-2'), outcomeAt(0, 't-2', 'unknown'))

  expect(result.ends).toEqual([])
  expect(result.delivery.state).toEqual({ kind: 'queued' })
  expect(statusesOf(result.delivery)).toEqual(['pending', 'pending'])
  expect(again.delivery.state.kind).toBe('waiting')
  expect(again.delivery.messageId).toBe('m-1')
})

test('a retry lies never beyond the expiry', () => {
  const short = deliveryOf({ expiresAtMs: 3000 })

  const { delivery } = after(short, failedAt(0, deferredOf(['a', 'b'])))

  expect(delivery.state).toEqual({ kind: 'waiting', dueMs: 3000 })
})

test.each([
  { rule: 'accepted by one is done', outcome: 'done' as const, end: 'done' },
  {
    rule: 'else somebody in doubt makes it in doubt',
    outcome: 'unknown' as const,
    end: 'in-doubt',
  },
  { rule: 'else it has expired', outcome: 'refused' as const, end: 'expired' },
])('expired while one recipient waits: $rule', ({ outcome, end }) => {
  const result = after(
    queued,
    attemptAt(0, 't-1', { accepted: ['a'], deferred: ['b'] }),
    outcomeAt(5, 't-1', outcome),
    { kind: 'expired', nowMs: 9 },
  )

  expect(result.ends).toEqual([end])
})
