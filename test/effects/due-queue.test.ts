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
  for (const [dueMs, id] of [
    [20, 'b'],
    [10, 'a'],
    [20, 'c'],
    [30, 'e'],
    [20, 'd'],
  ] as const)
    queue.push(dueMs, id)

  expect(queue.nextDueMs).toBe(10)
  expect(queue.takeDue(20, 10)).toEqual(['a', 'b', 'c', 'd'])
  expect(queue.size).toBe(1)
})

test('what is due at that very time is taken, what is due later is not', () => {
  const queue = new DueQueue()
  queue.push(10, 'a')

  expect(queue.takeDue(9, 10)).toEqual([])
  expect(queue.takeDue(10, 10)).toEqual(['a'])
})

test('no more are taken than the limit says', () => {
  const queue = new DueQueue()
  for (const id of ['a', 'b', 'c']) queue.push(1, id)

  expect(queue.takeDue(5, 2)).toEqual(['a', 'b'])
  expect(queue.takeDue(5, 2)).toEqual(['c'])
})

test('of what is still wanted one entry an id is kept, the earliest', () => {
  const queue = new DueQueue()
  for (const [dueMs, id] of [
    [30, 'a'],
    [10, 'b'],
    [20, 'a'],
    [15, 'c'],
    [40, 'b'],
  ] as const)
    queue.push(dueMs, id)

  queue.keep((dueMs, id) => id !== 'c' && dueMs > 10)

  expect(queue.size).toBe(2)
  expect(queue.nextDueMs).toBe(20)
  expect(queue.takeDue(100, 10)).toEqual(['a', 'b'])
})

test('a cleared queue begins anew', () => {
  const queue = new DueQueue()
  queue.push(1, 'a')

  queue.clear()
  queue.push(2, 'b')

  expect(queue.takeDue(5, 10)).toEqual(['b'])
})

test.each([1, 2, 3, 4, 5])('seed %i: it agrees with a sorted list', seed => {
  const random = seededRandom(seed)
  const queue = new DueQueue()
  const model: { dueMs: number; order: number; id: string }[] = []
  const taken: string[] = []
  const expected: string[] = []

  for (let order = 0; order < 500; order += 1) {
    const dueMs = Math.floor(random.next() * 50)
    queue.push(dueMs, `${order}`)
    model.push({ dueMs, order, id: `${order}` })
    if (random.next() < 0.7) continue
    const nowMs = Math.floor(random.next() * 50)
    const limit = Math.floor(random.next() * 8)
    model.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)
    const due = model.filter(each => each.dueMs <= nowMs).slice(0, limit)
    for (const each of due) model.splice(model.indexOf(each), 1)
    taken.push(...queue.takeDue(nowMs, limit), `|${queue.nextDueMs}`)
    expected.push(...due.map(each => each.id), `|${model[0]?.dueMs ?? Infinity}`)
  }

  expect(taken).toEqual(expected)
})
