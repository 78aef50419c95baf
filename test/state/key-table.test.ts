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

test('keys of one hash, however many somebody finds, cost no more than others', () => {
  let compared = 0
  class Watched implements Keyed {
    readonly hash = 7
    readonly #key: string
    constructor(key: string) {
      this.#key = key
    }
    get key(): string {
      compared += 1
      return this.#key
    }
  }
  const table = new KeyTable()
  const same = Array.from({ length: 5000 }, (_, index) => new Watched(`shop\0${index}`))
  for (const each of same) table.add(each)
  compared = 0

  const found = Array.from({ length: 5000 }, (_, index) => table.find(`shop\0${index}`, 7))

  expect(found).toEqual(same)
  expect(table.find('shop\u00005000', 7)).toBeUndefined()
  expect(compared).toBeLessThan(5001 * 40)
  table.replace(same.slice(0, 100))
  expect(table.find('shop\u00004999', 7)).toBeUndefined()
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
