import { expect, test } from 'vitest'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { HardWorld } from './hard-world.ts'

test('a full disk stops the instance before it sends, and a restart with room sends everything once', async () => {
  const world = new HardWorld()
  const first = world.start('a')
  world.publish('before')
  await world.until(() => world.committed('ends').length === 1)

  world.disk('a').full = true
  for (const request of ['one', 'two', 'three']) world.publish(request)
  await world.until(() => first.over)

  expect(first.failure).toMatchObject({ code: 'DISK_FULL' })
  expect([...world.relay.taken.keys()]).toEqual(['before'])
  first.process.kill()
  world.disk('a').full = false
  world.start('a')
  await world.until(() => world.committed('ends').length === 4)
  await world.pass(60_000)
  expect(world.committed('ends').toSorted()).toEqual([
    'before done',
    'one done',
    'three done',
    'two done',
  ])
  expect([...world.relay.taken.values()]).toEqual([1, 1, 1, 1])
})

test('what was committed but not applied to the full disk is replayed from the changelog', async () => {
  const world = new HardWorld()
  const first = world.start('a')
  world.publish('before')
  await world.until(() => world.committed('ends').length === 1)
  await world.pass(1000)
  world.disk('a').full = true
  world.publish('one')
  await world.until(() => first.over)
  first.process.kill()
  await world.until(() => world.committed('unique').includes('one'))

  world.disk('a').full = false
  world.start('a')
  // Its dedup entry was in that commit: a store without it would let the repeat through.
  world.publish('one')
  await world.until(() => world.committed('ends').length === 2)
  await world.pass(60_000)

  expect(world.committed('unique').toSorted()).toEqual(['before', 'one'])
})

test('a reply that is read after the disk is full is published before the instance ends', async () => {
  const world = new HardWorld()
  world.relay.latencyMs = () => 500
  const first = world.start('a')
  world.publish('one')
  await world.until(() => world.relay.taken.size === 1)

  // The mail is with the relay, its reply is under way: a journal that cannot be written is no reason to forget it.
  world.disk('a').full = true
  world.publish('three')
  await world.until(() => first.over)
  first.process.kill()
  world.disk('a').full = false
  world.relay.latencyMs = () => 5
  world.start('a')
  await world.until(() => world.committed('ends').length === 2)
  await world.pass(60_000)

  expect(world.committed('ends').toSorted()).toEqual(['one done', 'three done'])
})

test('what could not be journaled is not even attempted, so nothing is in doubt whenever the process dies', async () => {
  const world = new HardWorld()
  const journalDisk = new SimulatedDisk(world.simulation.network)
  const life = world.start('a', { journalDisk })
  world.publish('one')
  await world.until(() => world.committed('ends').length === 1)

  // The line that settles it cannot be written, and that is when the journal fails.
  journalDisk.full = true
  world.publish('three')
  await world.until(() => life.over)

  const attempted = world
    .committed('app-outbox-changelog')
    .filter(each => each.includes('"attempting"'))
  expect(attempted).toHaveLength(1)
  expect(life.failure).toMatchObject({ code: 'DISK_FULL' })
})
