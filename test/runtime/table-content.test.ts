import { expect, test } from 'vitest'
import { TableContent } from '../../src/runtime/table-content.ts'

const mayForget = (value: string): boolean => value !== 'stays'

test('without a bound everything is kept', () => {
  const content = new TableContent<string>(2)
  for (let each = 0; each < 1000; each += 1) content.put(each % 2, `k-${each}`, 'v')

  expect(content.size).toBe(1000)
})

test('with a bound the oldest go first, and one that is written again is none of them', () => {
  const content = new TableContent<string>(1, { entriesMax: 3, mayForget })
  for (const each of ['a', 'b', 'c', 'a', 'd']) content.put(0, each, 'v')

  expect(['a', 'b', 'c', 'd'].filter(each => content.get(each))).toEqual(['a', 'c', 'd'])
})

test('what must stay does, beyond the bound as well, and the others still go', () => {
  const content = new TableContent<string>(1, { entriesMax: 5, mayForget })
  for (let each = 0; each < 50; each += 1) content.put(0, `stays-${each}`, 'stays')
  for (let each = 0; each < 50; each += 1) content.put(0, `k-${each}`, 'v')
  const kept = Array.from({ length: 50 }, (_, each) => content.get(`stays-${each}`))

  expect(kept).not.toContain(undefined)
  expect(content.size).toBeLessThan(75)
  expect(content.get('k-49')).toBe('v')
})
