import { beforeEach, expect, test } from 'vitest'
import { SinkSlots } from '../../src/effects/sink-slots.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

/** In the middle of the jitter: delays are what they are named. */
const evenRandom = { next: () => 0.5, uuid: () => '' }

let clock: ManualClock
let slots: SinkSlots

beforeEach(() => {
  clock = new ManualClock()
  slots = new SinkSlots(2, clock, evenRandom)
})

test('no more tries are under way than there are slots', () => {
  const [first, second, third] = [slots.tryAcquire(), slots.tryAcquire(), slots.tryAcquire()]
  expect([first, second, third]).toEqual([expect.anything(), expect.anything(), undefined])

  first!.release()
  first!.release()

  expect(slots.tryAcquire()).toBeDefined()
  expect(slots.used).toBe(2)
})

test('of large requests fewer are under way than there are slots', () => {
  const many = new SinkSlots(10, clock, evenRandom)
  const anybody = { priority: 0, parties: [] }
  const begun = Array.from({ length: 4 }, () => many.begin(anybody, 8 * 1024 * 1024))
  const whileFull = many.obstacle(anybody)

  begun[0]!.release()
  begun[0]!.release()

  expect([whileFull, many.obstacle(anybody)]).toEqual(['full', undefined])
})

test('one that is larger than all may be together goes alone', () => {
  expect(slots.obstacle({ priority: 0, parties: [] })).toBeUndefined()
  slots.begin({ priority: 0, parties: [] }, 100 * 1024 * 1024)

  expect(slots.tryAcquire()).toBeUndefined()
})

test('out of reach nobody tries until the back-off is over, then one', () => {
  const permit = slots.tryAcquire()!
  slots.unavailable()
  permit.release()

  clock.advance(499)
  const early = slots.tryAcquire()
  clock.advance(1)

  expect(early).toBeUndefined()
  expect(slots.isOpen).toBe(true)
  expect([slots.tryAcquire(), slots.tryAcquire()]).toEqual([expect.anything(), undefined])
})

test('the one that is let through decides: reached closes the circuit', () => {
  slots.unavailable()
  clock.advance(500)
  slots.tryAcquire()

  slots.reached()

  expect(slots.isOpen).toBe(false)
  expect(slots.tryAcquire()).toBeDefined()
})

test('each failed probe doubles the back-off, up to 30 s', () => {
  const delaysMs: number[] = []
  for (let probe = 0; probe < 9; probe += 1) {
    const delayMs = slots.unavailable()
    delaysMs.push(delayMs)
    clock.advance(delayMs)
    slots.tryAcquire()!.release()
  }

  expect(delaysMs).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test('failures of tries that began together count once', () => {
  slots.tryAcquire()
  slots.tryAcquire()

  slots.unavailable()
  clock.advance(100)

  expect(slots.unavailable()).toBe(400)
})

test('a probe that told nothing lets another one through', () => {
  slots.unavailable()
  clock.advance(500)
  const probe = slots.tryAcquire()!

  slots.inconclusive()
  probe.release()

  expect(slots.tryAcquire()).toBeDefined()
})

test('once reached, the next failure begins at the shortest back-off', () => {
  slots.unavailable()
  clock.advance(500)
  slots.unavailable()
  slots.reached()

  expect(slots.unavailable()).toBe(500)
})

test('who waits is told of a free slot and of the end of the back-off, until it no longer asks', () => {
  let told = 0
  const forget = slots.onFree(() => (told += 1))

  slots.tryAcquire()!.release()
  const afterRelease = told
  slots.unavailable()
  clock.advance(500)
  const afterBackoff = told
  forget()
  slots.tryAcquire()!.release()

  expect([afterRelease, afterBackoff, told]).toEqual([1, 2, 2])
})

test('jitter spreads the probes of many instances', () => {
  const early = new SinkSlots(1, clock, { next: () => 0, uuid: () => '' })
  const late = new SinkSlots(1, clock, { next: () => 0.999, uuid: () => '' })

  expect(early.unavailable()).toBe(375)
  expect(late.unavailable()).toBeGreaterThan(620)
})
