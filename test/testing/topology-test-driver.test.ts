import { describe, expect, test } from 'vitest'
import type { EffectDefinition } from '../../src/effects/effect.ts'
import { StreamsError } from '../../src/errors.ts'
import { globalTable } from '../../src/global-table.ts'
import { bytesSerde, type Serde, utf8Serde } from '../../src/serde.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import { TopologyTestDriver } from '../../src/testing/topology-test-driver.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import type {
  Processor,
  StreamRecord,
  SubTopology,
  Topic,
  Topology,
  TopologyNode,
} from '../../src/topology/topology.ts'

type Text = StreamRecord<string, string>

/** Reads more than it writes: other people's spaces. */
const trimming: Serde<string> = {
  ...utf8Serde,
  deserialize: bytes => bytes.toString('utf8').trim(),
}
const textTopic = (name: string): Topic<string, string> => ({
  name,
  key: trimming,
  value: trimming,
})
const input = textTopic('input')
const unique = textTopic('unique')
const loud = textTopic('loud')
const inner: Topic<string, string> = { ...textTopic('inner'), internal: { configs: {} } }
const seen: StoreDefinition<string> = {
  name: 'seen',
  kind: 'memory',
  value: utf8Serde,
  changelogConfigs: {},
}

/** `input` without repeats to `unique`, and in capitals, by way of an internal topic, to `loud`; every minute a tick. */
function sample(): Topology {
  const dedup: Processor<Text, Text> = {
    process: (record, context) => {
      const store = context.store(seen)
      const known = store.get(record.key)
      store.put(record.key, record.value)
      if (record.value === 'poison') throw new StreamsError('RECORD_UNDECODABLE', 'poison')
      if (known === undefined) context.forward(record)
      else context.count('duplicates')
    },
    punctuations: [
      {
        everyMs: 60_000,
        by: 'wall-clock',
        punctuate: (timestampMs, context) =>
          context.forward(
            { key: 'tick', value: `${timestampMs}`, timestampMs, headers: [] },
            'unique',
          ),
      },
    ],
  }
  const shout: Processor<Text, Text> = {
    process: (record, context) => context.forward({ ...record, value: record.value.toUpperCase() }),
  }
  const source = (name: string, topic: Topic) =>
    ({ kind: 'source', name, topic, reread: 'process' }) as const
  const sink = (name: string, from: string, topic: Topic) =>
    ({ kind: 'sink', name, from: [from], topic }) as const
  const process = (name: string, from: string, create: () => Processor, stores = [seen]) =>
    ({ kind: 'process', name, from: [from], create, stores, operator: 'process' }) as const
  return topologyOf([
    [
      source('requests', input),
      process('dedup', 'requests', () => dedup),
      sink('unique', 'dedup', unique),
      sink('inner', 'dedup', inner),
    ],
    [
      source('shouted', inner),
      process('shout', 'shouted', () => shout, []),
      sink('loud', 'shout', loud),
    ],
  ])
}

function topologyOf(parts: readonly (readonly TopologyNode[])[]): Topology {
  const subTopologies = parts.map((nodes): SubTopology => ({
    name: nodes[0]?.name ?? '',
    nodes,
    sources: nodes.filter(node => node.kind === 'source'),
    stores: nodes.flatMap(node => {
      if (node.kind === 'process') return node.stores
      return node.kind === 'effect' ? [node.store] : []
    }),
  }))
  return { nodes: parts.flat(), subTopologies, globalTables: [], deadLetterTopic: 'dead' }
}

const valuesOf = (outputs: readonly { value: unknown }[]) => outputs.map(each => each.value)

describe('the topology test driver', () => {
  test('runs a record through all sub-topologies before pipe returns, internal topics included', () => {
    const driver = new TopologyTestDriver(sample())
    driver.advance(0)
    driver.output(unique)
    driver.output(loud)

    driver.pipe(
      input,
      { key: 'a', value: 'one' },
      { key: 'a', value: 'two' },
      { key: 'b', value: 'three' },
    )

    expect(valuesOf(driver.output(unique))).toEqual(['one', 'three'])
    expect(valuesOf(driver.output(loud))).toEqual(['ONE', 'THREE'])
    expect(driver.output(loud)).toEqual([])
    expect(driver.count('duplicates')).toBe(1)
  })

  test('has a record in a global table as soon as it is written, by the test or by a processor', () => {
    const namesTopic = textTopic('names')
    const names = globalTable('names', namesTopic, { keep: name => name.toUpperCase() })
    const greet: Processor<Text, Text> = {
      process: (record, context) =>
        context.forward({ ...record, value: context.table(names).get(record.key) ?? 'nobody' }),
    }
    const driver = new TopologyTestDriver(
      new TopologyBuilder()
        .globalTable(names)
        .source('input', input)
        .process('greet', { from: 'input', processor: () => greet })
        .sink('loud', { from: 'greet', topic: loud })
        .source('unique', unique)
        .sink('names', { from: 'unique', topic: namesTopic })
        .deadLetters('dead')
        .build(),
      { partitions: 3 },
    )

    driver.pipe(namesTopic, { key: 'a', value: 'anna' })
    driver.pipe(unique, { key: 'b', value: 'bert' })
    driver.pipe(input, { key: 'a', value: '?' }, { key: 'b', value: '?' }, { key: 'c', value: '?' })
    driver.pipeBytes(namesTopic, { key: Buffer.from('a'), value: null })
    driver.pipe(input, { key: 'a', value: '?' })

    expect(valuesOf(driver.output(loud))).toEqual(['ANNA', 'BERT', 'nobody', 'nobody'])
  })

  test('shows the stores, and takes what a test puts there', () => {
    const driver = new TopologyTestDriver(sample())
    driver.store(seen).put('known', 'before')
    driver.output(unique)

    driver.pipe(input, { key: 'known', value: 'again' }, { key: 'new', value: 'one' })

    expect(new Map(driver.store(seen).entries())).toEqual(
      new Map([
        ['known', 'again'],
        ['new', 'one'],
      ]),
    )
    expect(driver.count('duplicates')).toBe(1)
    expect(() => driver.store(seen, 1)).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_INVALID' }),
    )
  })

  test('takes back everything of a record that goes to the dead letters', () => {
    const driver = new TopologyTestDriver(sample())
    const header = { key: 'trace', value: Buffer.from('1') }

    driver.store(seen).put('known', 'before')
    driver.pipe(input, { key: 'a', value: 'poison', headers: [header] })
    driver.pipe(input, { key: 'known', value: 'poison' })
    const untouched = driver.store(seen).entries()
    driver.pipeBytes(input, { key: null, value: null })

    const [poison, , nothing] = driver.deadLetters()
    const text = (record: typeof poison, key: string) =>
      String(record?.headers.find(each => each.key === key)?.value)
    expect(untouched).toEqual([['known', 'before']])
    expect(poison).toMatchObject({ key: Buffer.from('a'), value: Buffer.from('poison') })
    expect(poison?.headers[0]).toEqual(header)
    expect(text(poison, 'source.offset')).toBe('0')
    expect(nothing).toMatchObject({ key: null, value: null })
    expect(text(nothing, 'error.code')).toBe('RECORD_UNDECODABLE')
  })

  test('runs punctuations at once and then whenever they fall due on the way', () => {
    const driver = new TopologyTestDriver(sample(), { startMs: 0 })

    driver.advance(59_999)
    const before = valuesOf(driver.output(unique))
    driver.advance(60_001)

    expect(before).toEqual(['0'])
    expect(valuesOf(driver.output(unique))).toEqual(['60000', '120000'])
    expect(driver.nowMs).toBe(120_000)
  })

  test('gives each partition a task of its own, by the key', () => {
    const driver = new TopologyTestDriver(sample(), { partitions: 3 })
    const partition = partitionForKey(Buffer.from('a'), 3)

    driver.pipe(input, { key: 'a', value: 'one' })
    driver.pipe(input, { key: 'a', value: 'elsewhere', partition: (partition + 1) % 3 })

    expect(driver.store(seen, partition).get('a')).toBe('one')
    expect(driver.store(seen, (partition + 1) % 3).get('a')).toBe('elsewhere')
    const records = driver.output(unique).filter(each => each.key === 'a')
    expect(records.map(each => each.partition)).toEqual([partition, partition])
  })

  test('passes unchanged keys and values through as the bytes they were', () => {
    const driver = new TopologyTestDriver(sample())
    const bytes = { key: Buffer.from(' a '), value: Buffer.from(' one ') }

    driver.pipeBytes(input, bytes)

    const [record] = driver.output({ ...unique, key: bytesSerde, value: bytesSerde }).slice(-1)
    expect(record).toMatchObject(bytes)
    expect(driver.store(seen).get('a')).toBe('one')
  })

  test.each([
    { rule: 'a bug of a processor', thrown: new TypeError('a bug') },
    { rule: 'an error that is no dead letter', thrown: new StreamsError('INTERNAL', 'a bug') },
  ])('lets $rule out', ({ thrown }) => {
    const broken: Processor = {
      process: () => {
        throw thrown
      },
    }
    const driver = new TopologyTestDriver(
      topologyOf([
        [
          { kind: 'source', name: 'in', topic: input, reread: 'process' },
          {
            kind: 'process',
            name: 'broken',
            from: ['in'],
            stores: [],
            operator: 'process',
            create: () => broken,
          },
        ],
      ]),
    )

    expect(() => driver.pipe(input, { key: 'a', value: 'b' })).toThrow('a bug')
  })
})

describe('an effect in the test driver', () => {
  const outbox = { ...seen, name: 'outbox' }
  const ended = textTopic('ended')
  const commands: Topic<string, string> = { ...textTopic('commands'), internal: { configs: {} } }
  const definition = {
    plan: request => ({
      identity: request,
      targets: ['x@test'],
      firstSeenMs: 0,
      notBeforeMs: null,
      expiresAtMs: null,
      inDoubt: 'hold',
      priority: 0,
    }),
    output: end => ({
      to: 'ended',
      key: end.key,
      value: `${end.request} ${end.kind} ${end.targets[0]?.status}`,
      headers: end.headers,
      timestampMs: end.atMs,
    }),
  } as Partial<EffectDefinition<string>>
  const topology = topologyOf([
    [
      { kind: 'source', name: 'in', topic: input, reread: 'skip' },
      { kind: 'source', name: 'told', topic: commands, reread: 'process' },
      {
        kind: 'effect',
        name: 'send',
        from: ['in'],
        commandsFrom: 'told',
        store: outbox,
        definition,
      },
      { kind: 'sink', name: 'ended', from: ['send'], topic: ended },
    ],
  ])

  test('takes requests, and ends them as the test says', () => {
    const driver = new TopologyTestDriver(topology)
    driver.pipe(input, { key: 'a', value: 'one' }, { key: 'b', value: 'two' })
    const [one, two] = driver.requests('send')

    driver.end('send', one!)
    driver.end('send', two!, { kind: 'in-doubt', targets: [] })

    expect(valuesOf(driver.output(ended))).toEqual(['one done accepted', 'two in-doubt undefined'])
    expect(driver.requests('send')).toEqual([])
    expect(() => driver.end('send', one!)).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
  })
})
