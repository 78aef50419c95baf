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

  const whileOneIsFree = many.obstacle(anybody)
  many.begin(anybody, 8 * 1024 * 1024)

  expect([whileFull, whileOneIsFree, many.obstacle(anybody)]).toEqual(['full', undefined, 'full'])
})

test('one that is larger than all may be together goes alone', () => {
  expect(slots.obstacle({ priority: 0, parties: [] })).toBeUndefined()
  slots.begin({ priority: 0, parties: [] }, 100 * 1024 * 1024)

  expect(slots.tryAcquire()).toBeUndefined()
})

/** A try finds the other side out of reach. */
function fail(retryInMs?: number): void {
  const permit = slots.tryAcquire()!
  permit.report('unavailable', retryInMs)
  permit.release()
}

test('out of reach nobody tries until the back-off is over, then one', () => {
  fail()

  clock.advance(499)
  const early = slots.tryAcquire()
  clock.advance(1)

  expect(early).toBeUndefined()
  expect(slots.isOpen).toBe(true)
  expect([slots.tryAcquire(), slots.tryAcquire()]).toEqual([expect.anything(), undefined])
})

test('where the other side knows when to try again, it is tried then', () => {
  fail(7000)

  clock.advance(6999)
  const early = slots.tryAcquire()
  clock.advance(1)

  expect([early, slots.tryAcquire()]).toEqual([undefined, expect.anything()])
})

test('the one that is let through decides: an answer closes the circuit', () => {
  fail()
  clock.advance(500)
  const probe = slots.tryAcquire()!

  probe.report('answered')

  expect(slots.isOpen).toBe(false)
  expect(slots.tryAcquire()).toBeDefined()
})

test('who waits is told of a free slot and of the end of the back-off, until it no longer asks', () => {
  let told = 0
  const forget = slots.onFree(() => (told += 1))

  slots.tryAcquire()!.release()
  const afterRelease = told
  fail()
  clock.advance(500)
  const afterBackoff = told
  forget()
  slots.tryAcquire()!.release()

  expect([afterRelease, afterBackoff, told]).toEqual([1, 3, 3])
})

test('closed, it leaves no timer behind', () => {
  let told = 0
  fail()
  slots.onFree(() => (told += 1))

  slots.close()
  clock.advance(60_000)

  expect(told).toBe(0)
})
