import { beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../../src/log.ts'
import { type InternalTopicsOptions, prepareTopics } from '../../src/runtime/internal-topics.ts'
import type { TopicCatalog } from '../../src/runtime/topic-catalog.ts'
import { utf8Serde } from '../../src/serde.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { Processor, Topology } from '../../src/topology/topology.ts'
import { type Text, words } from './task-world.ts'

const text = { key: utf8Serde, value: utf8Serde }
const forward = (): Processor<Text, Text> => ({
  process: (record, context) => context.forward(record),
})

const again = topic('again', { ...text, internal: { configs: { 'retention.ms': '5' } } })

/** Two external sources and an internal one that are read together, and a store. */
const topology: Topology = new TopologyBuilder()
  .source('left', topic('left', text), { reread: 'skip', subTopology: 'both' })
  .source('right', topic('right', text))
  .source('again', again)
  .process('work', { from: ['left', 'right', 'again'], stores: [words], processor: forward })
  .sink('out', { from: 'work', topic: topic('out', text) })
  .sink('to-again', { from: 'work', topic: again })
  .deadLetters('dead')
  .build()

let simulation: Simulation

beforeEach(() => {
  simulation = new Simulation({ seed: 1 })
})

function createTopics(partitions: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(partitions))
    simulation.broker.createTopic({ name, partitions: count, configs: {} })
}

function prepare(options: Partial<InternalTopicsOptions> = {}): Promise<TopicCatalog> {
  const { admin } = simulation.connect(simulation.startProcess('a'))
  return simulation.settle(
    prepareTopics({
      admin,
      applicationId: 'app',
      topology,
      log: silentLogger,
      createTopicsHint: 'call the one who makes them',
      acceptLostState: false,
      ...options,
    }),
  )
}

const external = { left: 3, right: 3, out: 1, dead: 1 }

test('its own topics are made like their sources, with their settings', async () => {
  createTopics(external)

  const catalog = await prepare()

  for (const name of ['again', 'words-changelog', 'both-positions-changelog'])
    expect(catalog.partitions(`app-${name}`)).toBe(3)
  const configs = (name: string, key: string) => simulation.broker.topic(name)?.configs.get(key)
  expect(configs('app-again', 'retention.ms')).toBe('5')
  expect(configs('app-words-changelog', 'cleanup.policy')).toBe('compact')
  expect(configs('app-both-positions-changelog', 'cleanup.policy')).toBe('compact')
})

test('what exists already is left alone', async () => {
  createTopics(external)
  await prepare()
  const topicId = simulation.broker.topic('app-words-changelog')?.topicId

  const catalog = await prepare()

  expect(catalog.describe('app-words-changelog').topicId).toBe(topicId)
})

test.each([
  { missing: ['out'], text: 'the topic out does not exist: call the one who makes them' },
  { missing: ['left', 'dead'], text: 'the topics left, dead do not exist' },
])('topics that are not ours to make are named: $missing', async ({ missing, text: message }) => {
  createTopics(
    Object.fromEntries(Object.entries(external).filter(([name]) => !missing.includes(name))),
  )

  await expect(prepare()).rejects.toMatchObject({
    code: 'TOPIC_MISSING',
    message: expect.stringContaining(message) as string,
  })
  expect(simulation.broker.topic('app-again')).toBeUndefined()
})

test('sources that are read together must have as many partitions', async () => {
  createTopics({ ...external, right: 4 })

  await expect(prepare()).rejects.toMatchObject({
    code: 'TOPIC_MISMATCH',
    message: expect.stringMatching(/left has 3 .*right has 4/) as string,
  })
})

test.each(['app-again', 'app-words-changelog'])(
  'state lies by partition: when the count of %s no longer fits, nothing starts',
  async name => {
    createTopics({ ...external, [name]: 2 })

    await expect(prepare()).rejects.toMatchObject({
      code: 'TOPIC_MISMATCH',
      message: expect.stringContaining(`${name} has 2 partitions`) as string,
    })
  },
)

test('a sub-topology that reads nothing but what it writes cannot say how many partitions it has', async () => {
  const lonely = new TopologyBuilder()
    .source('left', topic('left', text))
    .sink('out', { from: 'left', topic: topic('out', text) })
    .source('again', again)
    .process('work', { from: 'again', stores: [words], processor: forward })
    .sink('to-again', { from: 'work', topic: again })
    .deadLetters('dead')
    .build()
  createTopics(external)

  await expect(prepare({ topology: lonely })).rejects.toMatchObject({ code: 'TOPOLOGY_INVALID' })
})

/** The group has processed something. */
function commitOffset(): void {
  const at = { topic: 'left', partition: 0, offset: 5, metadata: '' }
  simulation.broker.group('app').offsets.set([at])
}

test('a changelog that is gone although the group has processed records is a loss, not a first start', async () => {
  createTopics(external)
  await prepare()
  commitOffset()
  simulation.broker.deleteTopic('app-words-changelog')

  await expect(prepare()).rejects.toMatchObject({
    code: 'CHANGELOG_LOST',
    message: expect.stringContaining('app-words-changelog') as string,
  })
  expect(simulation.broker.topic('app-words-changelog')).toBeUndefined()
})

test('the loss can be accepted', async () => {
  createTopics(external)
  commitOffset()

  const catalog = await prepare({ acceptLostState: true })

  expect(catalog.partitions('app-words-changelog')).toBe(3)
})

test('a sub-topology that reads internal topics only is divided like the one that writes them', async () => {
  const passed = topic('passed', { ...text, internal: { configs: {} } })
  const chain = new TopologyBuilder()
    .source('left', topic('left', text), { subTopology: 'first' })
    .sink('pass', { from: 'left', topic: passed })
    .source('passed', passed, { subTopology: 'second' })
    .process('count', { from: 'passed', stores: [words], processor: forward })
    .sink('out', { from: 'count', topic: topic('out', text) })
    .deadLetters('dead')
    .build()
  createTopics(external)

  const catalog = await prepare({ topology: chain })

  expect(catalog.partitions('app-passed')).toBe(3)
  expect(catalog.partitions('app-words-changelog')).toBe(3)
})
