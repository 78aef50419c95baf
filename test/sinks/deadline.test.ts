import { expect, test } from 'vitest'
import { Deadline } from '../../src/sinks/deadline.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

function fixture() {
  const clock = new ManualClock()
  const deadline = new Deadline(clock)
  const fired: string[] = []
  const set = (delayMs: number, name: string): void =>
    deadline.set(delayMs, () => fired.push(`${name} at ${clock.monotonicMs()}`))
  return { clock, deadline, fired, set }
}

test('fires once, when it is due', () => {
  const { clock, fired, set } = fixture()
  set(100, 'a')

  clock.advance(99)
  expect(fired).toEqual([])
  clock.advance(1000)

  expect(fired).toEqual(['a at 100'])
})

test('a later one takes its place', () => {
  const { clock, fired, set } = fixture()
  set(100, 'a')
  clock.advance(50)
  set(200, 'b')

  clock.advance(1000)

  expect(fired).toEqual(['b at 250'])
})

test('an earlier one takes its place', () => {
  const { clock, fired, set } = fixture()
  set(600, 'a')
  set(5, 'b')

  clock.advance(1000)

  expect(fired).toEqual(['b at 5'])
})

test('cleared it does not fire, and may be set again', () => {
  const { clock, deadline, fired, set } = fixture()
  set(100, 'a')
  deadline.clear()
  clock.advance(50)
  set(20, 'b')

  clock.advance(1000)

  expect(fired).toEqual(['b at 70'])
})

test('steps of a session cost no timer each, and closed it leaves none', () => {
  const { clock, deadline, set } = fixture()
  set(5, 'body')
  const firstMs = clock.nextDueMs
  for (const delayMs of [60, 5, 600, 30]) set(delayMs, 'step')

  expect(clock.nextDueMs).toBe(firstMs)
  deadline.close()

  expect(clock.nextDueMs).toBeUndefined()
})
