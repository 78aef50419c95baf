import { expect, test } from 'vitest'
import { seededRandom } from '../src/random.ts'
import { Pace } from '../src/pace.ts'

/** Begins all that there is room for, now. */
function beginAll(pace: Pace, nowMs: number, perSecond: number): number {
  const room = pace.room(nowMs, perSecond)
  for (let each = 0; each < room; each += 1) pace.begin(nowMs, perSecond)
  return room
}

test.each([
  { perSecond: 0.1, burst: 1 },
  { perSecond: 5, burst: 1 },
  { perSecond: 50, burst: 5 },
  { perSecond: 1000, burst: 100 },
])('of $perSecond a second at most $burst begin in one go', ({ perSecond, burst }) => {
  const pace = new Pace()

  expect(beginAll(pace, 1000, perSecond)).toBe(burst)
  expect(pace.room(1000, perSecond)).toBe(0)
})

test.each([0.5, 7, 50, 333])('over any minute no more begin than %d a second', perSecond => {
  const pace = new Pace()
  let begun = 0

  for (let nowMs = 0; nowMs < 60_000; nowMs += 3) begun += beginAll(pace, nowMs, perSecond)

  expect(begun).toBeLessThanOrEqual(perSecond * 60 + Math.max(1, perSecond / 10))
  expect(begun).toBeGreaterThan(perSecond * 59)
})

test('it says when there is room again', () => {
  const pace = new Pace()
  beginAll(pace, 0, 5)

  const waitMs = pace.waitMs(0, 5)

  expect(waitMs).toBe(200)
  expect([pace.room(waitMs - 1, 5), pace.room(waitMs, 5)]).toEqual([0, 1])
})

test('without a rate there is always room, and what was begun is measured all the same', () => {
  const pace = new Pace()
  for (let nowMs = 0; nowMs < 20_000; nowMs += 10) pace.begin(nowMs, Infinity)

  expect(pace.room(20_000, Infinity)).toBe(Infinity)
  expect(pace.waitMs(20_000, Infinity)).toBe(0)
  expect(pace.measured(20_000)).toBeGreaterThan(90)
  expect(pace.measured(20_000)).toBeLessThan(110)
})

test('what was idle for long may not catch up', () => {
  const pace = new Pace()
  beginAll(pace, 0, 50)

  expect(beginAll(pace, 3_600_000, 50)).toBe(5)
})

test('whoever has waited finds room, whatever the rate and the time', () => {
  const random = seededRandom(1)
  for (let round = 0; round < 2000; round += 1) {
    const pace = new Pace()
    const perSecond = 0.1 + random.next() * 300
    let nowMs = random.next() * 1e9
    for (let step = 0; step < 10; step += 1) {
      beginAll(pace, nowMs, perSecond)
      nowMs += pace.waitMs(nowMs, perSecond)
      expect(pace.room(nowMs, perSecond)).toBeGreaterThan(0)
    }
  }
})
