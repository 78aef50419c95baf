import { expect, test } from 'vitest'
import { StreamsError } from '../../src/errors.ts'
import { globalTable } from '../../src/global-table.ts'
import type { KafkaCluster } from '../../src/runtime/ports.ts'
import { type Serde, utf8Serde } from '../../src/serde.ts'
import type { Simulation } from '../../src/testing/simulation.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { Processor, StreamRecord, Topology } from '../../src/topology/topology.ts'
import { HardWorld, type Life } from '../hard-cases/hard-world.ts'

type Text = StreamRecord<string, string>

/** `bad` is no value; of a longer one only what stands before the colon is kept. */
const valueSerde: Serde<string> = {
  ...utf8Serde,
  deserialize: bytes => {
    const value = bytes.toString()
    if (value === 'bad') throw new StreamsError('RECORD_UNDECODABLE', 'bad is no value')
    return value
  },
}

function topologyWith(value = valueSerde): Topology {
  const colours = globalTable('colours', topic('colours', { key: utf8Serde, value }), {
    keep: colour => colour.split(':')[0]!,
  })
  const look: Processor<Text, Text> = {
    process: (record, context) =>
      // One key: in the order of one partition the last answer is the last.
      context.forward({
        ...record,
        key: 'answer',
        value: context.table(colours).get(record.value) ?? 'none',
      }),
  }
  return new TopologyBuilder()
    .globalTable(colours)
    .source('in', topic('in', { key: utf8Serde, value: utf8Serde }))
    .process('look', { from: 'in', processor: () => look })
    .sink('out', { from: 'look', topic: topic('out', { key: utf8Serde, value: utf8Serde }) })
    .deadLetters('dead')
    .build()
}

const topics = ['in', 'out', 'dead', 'colours']

class TableWorld extends HardWorld {
  readonly instance: Life

  constructor(
    options: { readonly value?: Serde<string>; readonly prepare?: (world: HardWorld) => void } = {},
  ) {
    super(7, topics)
    options.prepare?.(this)
    this.instance = this.start('a', { topology: topologyWith(options.value) })
  }

  /** What the processor finds under the key now. */
  async found(key: string): Promise<string> {
    const before = this.committed('out').length
    this.publishAt(0, key)
    await this.until(() => this.committed('out').length > before)
    return this.committed('out').at(-1)!
  }
}

function say(
  { simulation }: { readonly simulation: Simulation },
  key: string | null,
  value: string | null,
  partition = 0,
): void {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
  simulation.broker.append([
    {
      topic: 'colours',
      partition,
      key: bytes(key),
      value: bytes(value),
      headers: [],
      timestampMs: 0,
    },
  ])
}

test('what stood in the topic before the start is there when the first record is processed', async () => {
  const world = new TableWorld({
    prepare: before => {
      say(before, 'sky', 'blue')
      say(before, 'grass', 'green', 1)
      before.publishAt(0, 'sky')
      before.publishAt(1, 'grass')
    },
  })

  await world.until(() => world.committed('out').length === 2)

  expect(world.committed('out').toSorted()).toEqual(['blue', 'green'])
})

test('it follows the topic: the last value counts, and a tombstone deletes', async () => {
  const world = new TableWorld({ prepare: before => say(before, 'sky', 'blue') })
  await world.until(() => world.instance.streams.isReady)

  say(world, 'sky', 'grey')
  await world.pass(1000)
  const grey = await world.found('sky')
  say(world, 'sky', null)
  await world.pass(1000)

  expect([grey, await world.found('sky')]).toEqual(['grey', 'none'])
})

test('only what the definition keeps of a value is kept', async () => {
  const world = new TableWorld({ prepare: before => say(before, 'sky', 'blue:in good weather') })

  expect(await world.found('sky')).toBe('blue')
})

test('a transaction that aborts leaves nothing in it, and one that is open is waited for', async () => {
  const world = new HardWorld(7, topics)
  const { simulation } = world
  const other = simulation.connect(simulation.startProcess('other'))
  const producer = other.createProducer({ transactionalId: 't', transactionTimeoutMs: 10_000 })
  const write = (key: string, value: string) =>
    simulation.settle(
      producer.send([
        {
          topic: 'colours',
          partition: 0,
          key: Buffer.from(key),
          value: Buffer.from(value),
          headers: [],
          timestampMs: 0,
        },
      ]),
    )
  await simulation.settle(producer.init())
  await write('sea', 'green')
  await simulation.settle(producer.abort())
  await write('sky', 'blue')

  const life = world.start('a', { topology: topologyWith() })
  world.publishAt(0, 'sea')
  world.publishAt(1, 'sky')
  await world.pass(3000)
  const early = { ready: life.streams.isReady, waitsFor: life.streams.tablesWaitedFor }
  await simulation.settle(producer.commit())
  await world.until(() => world.committed('out').length === 2)

  expect(early).toEqual({ ready: false, waitsFor: ['colours'] })
  expect(world.committed('out').toSorted()).toEqual(['blue', 'none'])
})

test('a value that does not decode, and a record without a key, change nothing and are counted', async () => {
  const world = new TableWorld({
    prepare: before => {
      say(before, 'sky', 'blue')
      say(before, 'sky', 'bad')
      say(before, null, 'green')
    },
  })

  expect(await world.found('sky')).toBe('blue')
  expect(world.instance.logged.filter(each => each['event'] === 'global-table-skips')).toHaveLength(
    2,
  )
  expect(world.instance.streams.metrics.registry.render()).toContain(
    'mailonce_global_table_skipped_total{table="colours"} 2',
  )
})

test('a value whose schema nobody can look up is waited for', async () => {
  let isUp = false
  const value: Serde<string> = {
    ...valueSerde,
    isReady: () => isUp,
    prepare: () =>
      isUp
        ? Promise.resolve()
        : Promise.reject(new StreamsError('REGISTRY_UNAVAILABLE', 'no registry')),
  }
  const world = new TableWorld({ value, prepare: before => say(before, 'sky', 'blue') })
  await world.pass(5000)
  const early = world.instance.streams.tablesWaitedFor

  isUp = true

  expect([early, await world.found('sky')]).toEqual([['colours'], 'blue'])
})

test('a topic that is not there is named before anything runs', async () => {
  const world = new HardWorld(
    7,
    topics.filter(name => name !== 'colours'),
  )

  const life = world.start('a', { topology: topologyWith() })
  await world.until(() => life.over)

  expect(life.failure).toMatchObject({
    code: 'TOPIC_MISSING',
    message: expect.stringContaining('the topic colours does not exist') as unknown,
  })
})

test('a topic that was made again is read anew, and no task stops for it', async () => {
  const world = new TableWorld({ prepare: before => say(before, 'sky', 'blue') })
  const before = await world.found('sky')
  const { broker } = world.simulation

  broker.deleteTopic('colours')
  const between = await world.found('sky')
  world.createTopic('colours')
  say(world, 'grass', 'green', 1)
  await world.pass(130_000)

  expect([before, between]).toEqual(['blue', 'blue'])
  expect([await world.found('sky'), await world.found('grass')]).toEqual(['none', 'green'])
  expect(world.instance.over).toBe(false)
})

test('partitions that the topic has gained are read too', async () => {
  const world = new TableWorld()
  await world.until(() => world.instance.streams.isReady)

  world.simulation.broker.addPartitions('colours', 3)
  say(world, 'sky', 'blue', 2)
  await world.pass(130_000)

  expect(await world.found('sky')).toBe('blue')
})

test('an instance that is stopped while it reads ends', async () => {
  const world = new HardWorld(7, topics)
  say(world, 'sky', 'blue')
  const value: Serde<string> = {
    ...valueSerde,
    isReady: () => false,
    prepare: () => Promise.reject(new StreamsError('REGISTRY_UNAVAILABLE', 'no registry')),
  }
  const life = world.start('a', { topology: topologyWith(value) })
  await world.pass(3000)

  await world.stop(life)

  expect([life.over, life.failure]).toEqual([true, undefined])
})

test('a refusal of the broker ends the instance', async () => {
  const world = new HardWorld(7, topics)
  const refuse = (cluster: KafkaCluster): KafkaCluster =>
    new Proxy(cluster, {
      get: (target, name, receiver) =>
        name === 'admin'
          ? {
              ...bound(target.admin),
              endOffsets: () =>
                Promise.reject(new StreamsError('AUTHORIZATION_FAILED', 'colours: not allowed')),
            }
          : (Reflect.get(target, name, receiver) as unknown),
    })
  const cluster = refuse(world.simulation.connect(world.simulation.startProcess('door')))

  const life = world.start('a', { topology: topologyWith(), environment: { cluster } })
  await world.until(() => life.over)

  expect(life.failure).toMatchObject({ code: 'AUTHORIZATION_FAILED' })
})

/** Its own methods, which a spread of an instance would lose. */
function bound(admin: KafkaCluster['admin']): KafkaCluster['admin'] {
  return {
    describeTopics: names => admin.describeTopics(names),
    topicConfigs: names => admin.topicConfigs(names),
    createTopics: wanted => admin.createTopics(wanted),
    startOffsets: places => admin.startOffsets(places),
    endOffsets: places => admin.endOffsets(places),
    committedOffsets: (group, places) => admin.committedOffsets(group, places),
  }
}
