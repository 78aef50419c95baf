import { beforeEach, expect, test } from 'vitest'
import { StreamsError } from '../../src/errors.ts'
import { utf8Serde } from '../../src/serde.ts'
import { HardWorld, type Life } from './hard-world.ts'
import { plainTopics, plainTopology } from './plain-topology.ts'

const hourMs = 3_600_000

let world: HardWorld

beforeEach(() => {
  world = new HardWorld(7, plainTopics)
})

function startOne(): Life {
  return world.start('a', { topology: plainTopology(value => value) })
}

test('a source that gets more partitions while it is read stops the instance within a minute', async () => {
  const life = startOne()
  await world.until(() => life.streams.isReady)

  world.simulation.broker.addPartitions('in', 3)
  await world.until(() => life.over, 61_000)

  expect(life.failure).toMatchObject({ code: 'TOPIC_MISMATCH' })
  expect((life.failure as Error).message).toMatch(/in has 3 partitions now, it had 2/)
})

test('a topic that is made again while it is read stops the instance within a minute', async () => {
  const life = startOne()
  await world.until(() => life.streams.isReady)

  world.simulation.broker.deleteTopic('in')
  world.createTopic('in')
  await world.until(() => life.over, 61_000)

  expect(life.failure).toMatchObject({ code: 'TOPIC_MISMATCH' })
  expect((life.failure as Error).message).toMatch(/in was deleted and made again/)
})

test('input that was deleted before it was read stops the instance, and nothing is jumped over', async () => {
  for (const value of ['one', 'two', 'three']) world.publishAt(0, value)
  const first = startOne()
  await world.until(() => world.committed('out').length === 3)
  await world.pass(10_000)
  await world.stop(first)
  for (const value of ['four', 'five', 'six']) world.publishAt(0, value)
  world.log('in', 0).deleteBefore(5)

  const second = startOne()
  await world.until(() => second.over)

  expect(second.failure).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
  expect((second.failure as Error).message).toMatch(/in\/0.*3.*5/)
  expect(world.committed('out').toSorted()).toEqual(['one', 'three', 'two'])
})

test('a lag is warned of from half the retention on, and measured', async () => {
  world.simulation.broker.deleteTopic('in')
  world.createTopic('in', { 'retention.ms': String(10 * hourMs) })
  // A registry that is away keeps the partition waiting.
  const away = new StreamsError('REGISTRY_UNAVAILABLE', 'nobody answers')
  const unknown = { ...utf8Serde, isReady: () => false, prepare: () => Promise.reject(away) }
  const life = world.start('a', { topology: plainTopology(value => value, 'out', unknown) })
  world.publishAt(0, 'one')

  await world.pass(4 * hourMs)
  const early = life.logged.filter(line => line['event'] === 'lag-near-retention')
  await world.pass(2 * hourMs)
  const late = life.logged.find(line => line['event'] === 'lag-near-retention')

  expect(early).toEqual([])
  expect(late).toMatchObject({ topic: 'in', partition: 0, retentionMs: 10 * hourMs })
  const ratio = life.streams.metrics.retentionUsed.labels({ topic: 'in', partition: 0 }).value
  expect(ratio).toBeGreaterThan(0.5)
})
