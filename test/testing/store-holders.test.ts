import { beforeEach, expect, test } from 'vitest'
import { Simulation } from '../../src/testing/simulation.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import type { SimulatedProcess } from '../../src/testing/simulated-process.ts'
import { utf8Serde } from '../../src/serde.ts'

const store = {
  name: 'seen',
  kind: 'rocksdb',
  value: utf8Serde,
  changelogConfigs: {},
} as const

let world: Simulation
let disk: SimulatedDisk
let one: SimulatedProcess
let other: SimulatedProcess
beforeEach(() => {
  world = new Simulation({ seed: 1 })
  disk = new SimulatedDisk(world.network)
  one = world.startProcess('one')
  other = world.startProcess('other')
})

test('workers of one household have a disk together, and nobody else has it', () => {
  disk.mount(one, 'house')

  expect(() => disk.mount(other, 'house')).not.toThrow()
  expect(() => disk.mount(world.startProcess('stranger'), 'elsewhere')).toThrow('has this disk')
  expect(() => disk.mount(world.startProcess('nobody'))).toThrow('has this disk')
})

test('a store is open in one of them at a time, until it is closed or its worker dies', async () => {
  const [here, there] = [disk.mount(one, 'house'), disk.mount(other, 'house')]
  const opened = await world.settle(here.open('task_0', store))
  const open = () => world.settle(there.open('task_0', store))

  await expect(open()).rejects.toMatchObject({ code: 'STORE_IN_USE' })
  await expect(world.settle(there.destroy('task_0', store))).rejects.toMatchObject({
    code: 'STORE_IN_USE',
  })
  await opened.close()
  await (await open()).close()
  await world.settle(here.open('task_0', store))
  one.kill()

  await expect(open()).resolves.toBeDefined()
})

test('what is being written when a store is closed is written before another opens it', async () => {
  const [here, there] = [disk.mount(one, 'house'), disk.mount(other, 'house')]
  const opened = await world.settle(here.open('task_0', store))
  const position = { topicId: 't', offset: 1 }

  const applying = opened.apply([{ key: 'k', value: Buffer.from('v') }], position)
  const closing = opened.close()

  await expect(there.open('task_0', store)).rejects.toMatchObject({ code: 'STORE_IN_USE' })
  await world.settle(Promise.all([applying, closing]))
  const reopened = await world.settle(there.open('task_0', store))
  expect(await world.settle(reopened.position())).toEqual(position)
})

test('each of them has a journal of its own', async () => {
  const journal = disk.openJournal(one, 0)
  journal.attempts([{ token: 't', identity: 'i', topic: 'commands', partition: 0 }])
  await world.run()

  expect(disk.openJournal(world.startProcess('next'), 0).evidence).toHaveLength(1)
  expect(disk.openJournal(world.startProcess('beside'), 1).evidence).toEqual([])
})
