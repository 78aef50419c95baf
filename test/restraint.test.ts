import { beforeEach, expect, test } from 'vitest'
import { Restraint } from '../src/restraint.ts'

const taken = { perSecond: 40, connections: 8 }
const unlimited = { perSecond: Infinity }

let restraint: Restraint
let nowMs: number

beforeEach(() => {
  restraint = new Restraint()
  nowMs = 0
})

function complain(isCertain: boolean): boolean {
  nowMs += 100
  return restraint.complain({ beganMs: nowMs, nowMs, isCertain }, taken, unlimited)
}

test('nobody is held back who never asked for less', () => {
  restraint.welcome(0, 1000)

  expect([restraint.share, restraint.perSecond, restraint.connections]).toEqual([
    undefined,
    Infinity,
    Infinity,
  ])
})

test('what is certain counts at once', () => {
  complain(true)

  expect([restraint.share, restraint.perSecond, restraint.connections]).toEqual([0.5, 20, 4])
})

test('what is likely counts when half of the latest answers say so', () => {
  const counted = Array.from({ length: 11 }, () => complain(false))

  expect(counted.filter(Boolean)).toHaveLength(1)
  expect(counted.at(-1)).toBe(true)
})

test('what is likely now and then says nothing', () => {
  for (let answers = 0; answers < 200; answers += 1) {
    complain(false)
    for (let good = 0; good < 2; good += 1) restraint.welcome(nowMs, nowMs)
  }

  expect(restraint.share).toBeUndefined()
})

test('it ends when everything that was taken before, and more, is taken without complaint', () => {
  complain(true)
  let isOver = false
  for (let seconds = 0; seconds < 400 && !isOver; seconds += 1)
    isOver = restraint.welcome(nowMs, (nowMs += 1000))

  expect(isOver).toBe(true)
  expect(restraint.share).toBeUndefined()
})
