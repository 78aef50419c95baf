import { expect, test } from 'vitest'

import { hashOfKey } from '../../src/state/key-hash.ts'
import { KeyTable, type Keyed } from '../../src/state/key-table.ts'

const entry = (key: string, hash = hashOfKey(key)): Keyed => ({ key, hash })
const entries = (count: number): Keyed[] =>
  Array.from({ length: count }, (_, index) => entry(`shop\0${index}`))

test('finds each of many, and nothing that was not added', () => {
  const table = new KeyTable()
  const added = entries(5000)
  for (const each of added) table.add(each)

  expect(added.filter(each => table.find(each.key, each.hash) !== each)).toEqual([])
  expect(table.find('shop\u00005000', hashOfKey('shop\u00005000'))).toBeUndefined()
  expect(table.size).toBe(5000)
})

test('keys with the same hash are told apart, also around the end of the slots', () => {
  const table = new KeyTable()
  const same = ['a', 'b', 'c', 'd'].map(key => entry(key, -1))

  for (const each of same) table.add(each)

  expect(same.map(each => table.find(each.key, -1))).toEqual(same)
  expect(table.find('e', -1)).toBeUndefined()
})

test('what takes the place of all others is found alone, however much less it is', () => {
  const table = new KeyTable()
  const [kept, ...gone] = entries(3000)
  for (const each of [kept!, ...gone]) table.add(each)

  table.replace([kept!])
  table.add(gone[0]!)

  expect([kept!, ...gone].filter(each => table.find(each.key, each.hash))).toEqual([kept, gone[0]])
  expect(table.size).toBe(2)
})
