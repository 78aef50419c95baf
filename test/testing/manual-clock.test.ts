import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/testing/manual-clock.ts'

describe('a manual clock', () => {
  test('fires in the order of time, then of creation, also what timers schedule themselves', () => {
    const clock = new ManualClock()
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name}@${clock.monotonicMs()}`)

    clock.schedule(20, note('late'))
    clock.schedule(10, note('first'))
    clock.schedule(10, note('second'))
    clock.schedule(10, () => clock.schedule(5, note('nested')))
    clock.advance(15)

    expect(fired).toEqual(['first@10', 'second@10', 'nested@15'])
    expect(clock.monotonicMs()).toBe(15)
  })

  test('forgets cancelled timers, late and repeated cancels do nothing', () => {
    const clock = new ManualClock()
    const fired: string[] = []

    const cancelA = clock.schedule(1, () => fired.push('a'))
    const cancelB = clock.schedule(1, () => fired.push('b'))
    cancelA()
    cancelA()
    clock.advance(1)
    cancelB()

    expect(fired).toEqual(['b'])
    expect(clock.nextDueMs).toBeUndefined()
  })

  test('sets the wall clock apart from the monotonic one', () => {
    const clock = new ManualClock(1000)

    clock.advance(5)
    clock.jumpWallClock(-600)
    clock.advance(5)

    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([410, 10])
  })
})
