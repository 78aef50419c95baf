import { expect, test } from 'vitest'
import { Throttle } from '../src/throttle.ts'

const unlimited = { perSecond: Infinity }

test('each complaint halves what it gets, of what it took when it complained first', () => {
  const throttle = new Throttle({ perSecond: 40, connections: 8 }, unlimited)

  throttle.decrease(0, 1000)
  const once = [throttle.perSecond, throttle.connections]
  throttle.decrease(1000, 2000)

  expect(once).toEqual([20, 4])
  expect([throttle.perSecond, throttle.connections]).toEqual([10, 2])
})

test('complaints of tries that began before the last decrease say nothing new', () => {
  const throttle = new Throttle({ perSecond: 40, connections: 8 }, unlimited)

  const answers = [0, 10, 999, 1000].map(beganMs => throttle.decrease(beganMs, 1000))

  expect(answers).toEqual([true, false, false, true])
  expect(throttle.share).toBe(0.25)
})

test('however often it complains, one in ten seconds is tried', () => {
  const throttle = new Throttle({ perSecond: 40, connections: 8 }, unlimited)
  for (let nowMs = 0; nowMs < 100; nowMs += 1) throttle.decrease(nowMs, nowMs)

  expect([throttle.perSecond, throttle.connections]).toEqual([0.1, 1])
})

test('it grows by the time that passes with successes: steadily, never in one leap', () => {
  const throttle = new Throttle({ perSecond: 40, connections: 8 }, unlimited)
  throttle.decrease(0, 0)

  const shares = [10_000, 20_000, 30_000, 3_600_000].map(nowMs => {
    throttle.increase(nowMs, nowMs)
    return throttle.share
  })

  expect(shares.map(share => Number(share.toFixed(3)))).toEqual([0.583, 0.667, 0.75, 1])
})

test('a success that began before the decrease is none of the new pace', () => {
  const throttle = new Throttle({ perSecond: 40, connections: 8 }, unlimited)
  throttle.decrease(0, 1000)

  throttle.increase(999, 60_000)

  expect(throttle.share).toBe(0.5)
})

test.each([
  { where: 'without a limit at twice of what it took', limit: Infinity, over: 2 },
  { where: 'where the limit is reached again', limit: 60, over: 1.5 },
  { where: 'at once, where it took all that it may', limit: 40, over: 1 },
])('it is over $where', ({ limit, over }) => {
  const throttle = new Throttle({ perSecond: 40, connections: 8 }, { perSecond: limit })
  throttle.decrease(0, 0)
  let nowMs = 0
  while (!throttle.isOver) throttle.increase(nowMs, (nowMs += 1000))

  expect(throttle.share).toBeCloseTo(over, 1)
})
