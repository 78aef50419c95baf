import { expect, test } from 'vitest'
import { Tally } from '../../src/runtime/tally.ts'

test('amounts of one name add up, whatever comes between them', () => {
  const tally = new Tally()
  const amounts: [string, number][] = [
    ['a', 1],
    ['a', 2],
    ['b', 4],
    ['a', 8],
    ['c', 0],
  ]

  for (const [name, by] of amounts) tally.add(name, by)

  expect([...tally.sums]).toEqual([
    ['a', 11],
    ['b', 4],
    ['c', 0],
  ])
})

test('what is added after it was asked for counts too', () => {
  const tally = new Tally()
  tally.add('a', 1)
  void tally.sums

  tally.add('a', 2)

  expect(tally.sums.get('a')).toBe(3)
})

test('it is empty until something is added, and not after it was asked for', () => {
  const tally = new Tally()
  const before = tally.isEmpty

  tally.add('a', 1)
  const added = tally.isEmpty
  void tally.sums

  expect([before, added, tally.isEmpty]).toEqual([true, false, false])
})
