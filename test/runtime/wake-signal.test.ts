import { beforeEach, expect, test } from 'vitest'
import { WakeSignal } from '../../src/runtime/wake-signal.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

let clock: ManualClock
let signal: WakeSignal

beforeEach(() => {
  clock = new ManualClock()
  signal = new WakeSignal(clock)
})

/** Whether the wait is over once everything has run that can. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  let over = false
  void wait.then(() => (over = true))
  await new Promise(resolve => setImmediate(resolve))
  return over
}

test('a wait ends when somebody wakes it', async () => {
  const wait = signal.wait(Infinity)
  const before = await isOver(wait)

  signal.wake()
  clock.advance(0)

  expect([before, await isOver(wait)]).toEqual([false, true])
})

test('those who wake it together wake it once, when the last of them has spoken', async () => {
  const heard: string[] = []
  const wait = signal.wait(Infinity).then(() => heard.push('loop'))

  signal.wake()
  heard.push('one')
  await Promise.resolve()
  signal.wake()
  heard.push('other')
  clock.advance(0)
  await wait

  expect(heard).toEqual(['one', 'other', 'loop'])
  expect(await isOver(signal.wait(Infinity))).toBe(false)
})

test('a wake-up while nobody waits ends the next wait at once, and only that', async () => {
  signal.wake()
  signal.wake()

  expect(await isOver(signal.wait(Infinity))).toBe(true)
  expect(await isOver(signal.wait(Infinity))).toBe(false)
})

test('a wait ends after its time, and leaves no timer behind when it ends before', async () => {
  const timed = signal.wait(100)
  clock.advance(99)
  const early = await isOver(timed)
  clock.advance(1)
  const late = await isOver(timed)
  const woken = signal.wait(100)
  signal.wake()
  clock.advance(0)
  await woken

  expect([early, late]).toEqual([false, true])
  expect(clock.nextDueMs).toBeUndefined()
})

test.each([0, -5])('no time to wait (%i ms) is no wait', async delayMs => {
  expect(await isOver(signal.wait(delayMs))).toBe(true)
  expect(clock.nextDueMs).toBeUndefined()
})
