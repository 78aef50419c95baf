import { expect, test } from 'vitest'

import { KeyFilter } from '../../src/state/key-filter.ts'
import { hashOfKey } from '../../src/state/key-hash.ts'

const keyOf = (prefix: string, number: number): string => `${prefix}\0${number.toString(36)}`

test('whatever was added is found, over all layers', () => {
  const filter = new KeyFilter()
  const keys = Array.from({ length: 150_000 }, (_, number) => keyOf('shop', number))

  for (const key of keys) filter.add(hashOfKey(key))

  expect(keys.filter(key => !filter.mayHave(hashOfKey(key)))).toEqual([])
})

test.each([
  { what: 'a full first layer', keys: 20_480 },
  { what: 'three layers', keys: 200_000 },
])('of absent keys one in a hundred looks present: $what', ({ keys }) => {
  const filter = new KeyFilter()
  for (let number = 0; number < keys; number += 1) filter.add(hashOfKey(keyOf('shop', number)))

  let present = 0
  for (let number = 0; number < 100_000; number += 1)
    if (filter.mayHave(hashOfKey(keyOf('store', number)))) present += 1

  expect(present).toBeLessThan(1000)
})

test('a key that is added again takes no room', () => {
  const filter = new KeyFilter()

  for (let times = 0; times < 3; times += 1) filter.add(hashOfKey('shop\0r-1'))

  expect(filter.size).toBe(1)
})

test('keys that differ in one character, wherever it is, are different', () => {
  const filter = new KeyFilter()
  filter.add(hashOfKey('orders\0b2c4-é-😀'))

  const others = [
    'Orders\0b2c4-é-😀',
    'orders\0b2c4-e-😀',
    'orders\0b2c4-é-😁',
    'orders\0b2c4-é',
    '',
  ]

  expect(others.filter(key => filter.mayHave(hashOfKey(key)))).toEqual([])
})
