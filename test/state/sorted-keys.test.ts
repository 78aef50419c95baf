import { expect, test } from 'vitest'

import { seededRandom } from '../../src/random.ts'
import { SortedKeys } from '../../src/state/sorted-keys.ts'

test.each([1, 2, 3])('seed %i: behaves like a sorted set, whatever comes and goes', seed => {
  const random = seededRandom(seed)
  const keys = new SortedKeys()
  const model = new Set<string>()
  const someKey = (): string => `key-${Math.floor(random.next() * 4000)}`

  // First it grows over several blocks, then it shrinks to nothing, so that blocks are split and given up.
  for (const growing of [0.8, 0.5, 0.05]) {
    for (let turn = 0; turn < 6000; turn += 1) {
      const key = someKey()
      if (random.next() < growing) {
        keys.add(key)
        model.add(key)
      } else {
        keys.delete(key)
        model.delete(key)
      }
    }
    const sorted = [...model].toSorted()
    const from = someKey()
    expect([...keys.from('')]).toEqual(sorted)
    expect([...keys.from(from)]).toEqual(sorted.filter(key => key >= from))
  }
})

test('when everything has gone it starts anew', () => {
  const keys = new SortedKeys()
  const names = Array.from({ length: 2000 }, (_, index) => `key-${index}`)
  names.forEach(name => keys.add(name))
  names.forEach(name => keys.delete(name))

  expect([...keys.from('')]).toEqual([])
  keys.add('a')
  expect([...keys.from('')]).toEqual(['a'])
})
