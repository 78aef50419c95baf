import { beforeEach, expect, test } from 'vitest'
import { Doubts } from '../../src/effects/doubts.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

/** 5 s of the attempt, 1 s more, 15 s for evidence. */
const waitMs = 21_000

let clock: ManualClock
let doubts: Doubts

beforeEach(() => {
  clock = new ManualClock()
  doubts = new Doubts(clock)
})

test('an attempt of a former owner is decided 21 s after it was read, not before', () => {
  doubts.add('r-1', 't-1')

  clock.advance(waitMs - 1)
  const early = doubts.takeDue()
  clock.advance(1)

  expect(early).toEqual([])
  expect(doubts.takeDue()).toEqual([{ identity: 'r-1', token: 't-1' }])
  expect(doubts.takeDue()).toEqual([])
})

test('each counts from when it was read itself', () => {
  doubts.add('r-1', 't-1')
  clock.advance(1000)
  doubts.add('r-2', 't-2')

  clock.advance(waitMs - 1000)

  expect(doubts.takeDue().map(each => each.identity)).toEqual(['r-1'])
  expect(doubts.nextDelayMs()).toBe(1000)
})

test('a wall clock that is set says nothing: no clock is shared with the former owner', () => {
  doubts.add('r-1', 't-1')

  clock.jumpWallClock(3_600_000)

  expect(doubts.takeDue()).toEqual([])
  expect(doubts.nextDelayMs()).toBe(waitMs)
})

test('what evidence has decided is no longer waited for', () => {
  doubts.add('r-1', 't-1')
  doubts.add('r-2', 't-2')

  doubts.delete('r-1')
  clock.advance(waitMs)

  expect(doubts.size).toBe(1)
  expect(doubts.takeDue().map(each => each.identity)).toEqual(['r-2'])
})

test('nothing is waited for when there are none', () => {
  doubts.add('r-1', 't-1')
  doubts.clear()

  expect(doubts.nextDelayMs()).toBe(Infinity)
})
