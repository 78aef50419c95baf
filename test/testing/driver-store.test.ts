import { expect, test } from 'vitest'
import { utf8Serde } from '../../src/serde.ts'
import { DriverStore } from '../../src/testing/driver-store.ts'

const definition = {
  name: 'store',
  kind: 'memory',
  value: utf8Serde,
  changelogConfigs: {},
} as const

test('a unit of work is taken back whole: puts, deletes, several of one key', () => {
  const store = new DriverStore(definition)
  store.put('changed', 'before')
  store.put('deleted', 'before')
  store.begin()
  store.put('changed', 'once')
  store.put('changed', 'twice')
  store.delete('deleted')
  store.put('new', 'after')
  const during = store.entries()

  store.undo()

  expect(new Map(during)).toEqual(
    new Map([
      ['changed', 'twice'],
      ['new', 'after'],
    ]),
  )
  expect(new Map(store.entries())).toEqual(
    new Map([
      ['changed', 'before'],
      ['deleted', 'before'],
    ]),
  )
})
