import { expect, test } from 'vitest'
import { createTopics } from '../../src/cli/create-topics.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { smallTopics } from '../simulation/small-topology.ts'
import { HardWorld } from './hard-world.ts'

test('internal topics take four times what the topics take that are read and written', async () => {
  const world = new HardWorld(7, [])
  const configs = { 'max.message.bytes': '3000000' }
  for (const name of smallTopics) world.createTopic(name, configs)

  const life = world.start('a')
  await world.until(() => life.streams.isReady)

  const { broker } = world.simulation
  const limits = ['app-seen-changelog', 'app-act-commands'].map(name => broker.recordBytesMax(name))
  expect(limits).toEqual([12_000_000, 12_000_000])
})

test('topics of outcomes take a request whose recipients all have a reply', async () => {
  const world = new HardWorld(7, [])
  const { simulation } = world
  const { admin } = simulation.connect(simulation.startProcess('cli'))

  await simulation.settle(createTopics({ admin, dedupWindowMs: 60_000, print: () => undefined }))

  const limit = (name: string): number => simulation.broker.recordBytesMax(name)
  for (const name of [topicNames.sent, topicNames.failed, topicNames.callback])
    expect(limit(name)).toBeGreaterThan(4 * limit(topicNames.requested))
})
