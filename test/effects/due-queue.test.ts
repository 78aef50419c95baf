import { expect, test } from 'vitest'
import { DueQueue } from '../../src/effects/due-queue.ts'
import { seededRandom } from '../../src/random.ts'

test('nothing is due in an empty queue', () => {
  const queue = new DueQueue()

  expect(queue.nextDueMs).toBe(Infinity)
  expect(queue.takeDue(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
})

test('the earliest comes first, equal times in the order in which they came', () => {
  const queue = new DueQueue()
  for (const [dueMs, row] of [
    [20, 1],
    [10, 0],
    [20, 2],
    [30, 4],
    [20, 3],
  ] as const)
    queue.set(row, dueMs)

  expect(queue.nextDueMs).toBe(10)
  expect(queue.takeDue(20, 10)).toEqual([0, 1, 2, 3])
  expect(queue.size).toBe(1)
})

test('what is due at that very time is taken, what is due later is not', () => {
  const queue = new DueQueue()
  queue.set(7, 10)

  expect(queue.takeDue(9, 10)).toEqual([])
  expect(queue.takeDue(10, 10)).toEqual([7])
})

test('no more are taken than the limit says', () => {
  const queue = new DueQueue()
  for (const row of [0, 1, 2]) queue.set(row, 1)

  expect(queue.takeDue(5, 2)).toEqual([0, 1])
  expect(queue.takeDue(5, 2)).toEqual([2])
})

test('a row is there once: set again it has the new time, and no time takes it out', () => {
  const queue = new DueQueue()
  for (const row of [0, 1, 2]) queue.set(row, 10)

  queue.set(0, 30)
  queue.set(1, Infinity)

  expect(queue.size).toBe(2)
  expect(queue.takeDue(30, 10)).toEqual([2, 0])
})

test.each([1, 2, 3, 4, 5])('seed %i: it agrees with a sorted list', seed => {
  const random = seededRandom(seed)
  const queue = new DueQueue()
  const model: { dueMs: number; order: number; row: number }[] = []
  const taken: (number | string)[] = []
  const expected: (number | string)[] = []
  const forget = (row: number): void => {
    const at = model.findIndex(each => each.row === row)
    if (at >= 0) model.splice(at, 1)
  }

  for (let order = 0; order < 2000; order += 1) {
    const row = Math.floor(random.next() * 300)
    const dueMs = Math.floor(random.next() * 50)
    forget(row)
    if (random.next() < 0.2) queue.delete(row)
    else {
      queue.set(row, dueMs)
      model.push({ dueMs, order, row })
    }
    if (random.next() < 0.9) continue
    const nowMs = Math.floor(random.next() * 50)
    const limit = Math.floor(random.next() * 8)
    model.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)
    const due = model.filter(each => each.dueMs <= nowMs).slice(0, limit)
    for (const each of due) forget(each.row)
    taken.push(...queue.takeDue(nowMs, limit), `|${queue.nextDueMs}`)
    expected.push(...due.map(each => each.row), `|${model[0]?.dueMs ?? Infinity}`)
  }

  expect(taken).toEqual(expected)
})
