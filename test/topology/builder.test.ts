import { describe, expect, test } from 'vitest'

import { bytesSerde, utf8Serde } from '../../src/serde.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { StreamRecord, Topology } from '../../src/topology/topology.ts'
import { accepted, commands, dedup, requested, store } from './sample-topology.ts'

const text = { key: utf8Serde, value: utf8Serde }
const internal = { configs: {} }
const input = topic('input', text)
const output = topic('output', text)
const pass = (): { process: (record: StreamRecord<string, string>) => void } => ({
  process: () => undefined,
})

const complete = new TopologyBuilder()
  .source('requests', requested, { reread: 'skip' })
  .process('dedup', { from: 'requests', stores: [store('dedup')], processor: dedup })
  .sink('accepted', { from: 'dedup', topic: accepted })
  .deadLetters('dead')

describe('what is built', () => {
  test('nodes in the order of their declaration, with what they were given', () => {
    const topology = complete.build()

    expect(topology.deadLetterTopic).toBe('dead')
    expect(topology.nodes).toMatchObject([
      { kind: 'source', name: 'requests', topic: requested, reread: 'skip' },
      { kind: 'process', name: 'dedup', operator: 'process', from: ['requests'], create: dedup },
      { kind: 'sink', name: 'accepted', from: ['dedup'], topic: accepted },
    ])
  })

  test('records are read again unless the source says otherwise', () => {
    const topology = new TopologyBuilder()
      .source('input', input)
      .merge('all', { from: 'input' })
      .deadLetters('dead')
      .build()

    expect(topology.nodes[0]).toMatchObject({ reread: 'process' })
  })

  test('everything of ours is frozen, a caller’s list is not touched', () => {
    const stores = [store('a')]
    const from = ['input'] as const
    const topology = new TopologyBuilder()
      .source('input', input)
      .process('p', { from, stores, processor: pass })
      .deadLetters('dead')
      .build()
    stores.pop()

    expect(topology.subTopologies[0]?.stores).toHaveLength(1)
    const parts: unknown[] = [topology, topology.nodes, topology.subTopologies]
    for (const node of topology.nodes)
      parts.push(node, ...Object.values(node).filter(Array.isArray))
    for (const sub of topology.subTopologies) parts.push(sub, sub.nodes, sub.sources, sub.stores)
    expect(parts.filter(part => !Object.isFrozen(part))).toEqual([])
  })

  test('a builder never changes: two ways from one do not meet', () => {
    const shared = new TopologyBuilder().source('input', input)
    const left = shared.sink('left', { from: 'input', topic: output }).deadLetters('dead')
    const right = shared.sink('right', { from: 'input', topic: output }).deadLetters('gone')

    expect(left.build().nodes.map(({ name }) => name)).toEqual(['input', 'left'])
    expect(right.build().nodes.map(({ name }) => name)).toEqual(['input', 'right'])
    expect([left.build().deadLetterTopic, right.build().deadLetterTopic]).toEqual(['dead', 'gone'])
  })
})

describe('sub-topologies', () => {
  const shape = (topology: Topology): unknown =>
    topology.subTopologies.map(({ name, nodes, sources, stores }) => ({
      name,
      nodes: nodes.map(node => node.name),
      sources: sources.map(source => source.name),
      stores: stores.map(each => each.name),
    }))
  const again = topic('again', { ...text, internal })

  test('a topic cuts, a forward joins; each is named after its first source', () => {
    const topology = new TopologyBuilder()
      .source('first', input)
      .source('second', topic('second', text))
      .source('third', output)
      .merge('a', { from: 'first' })
      .sink('write', { from: 'a', topic: output })
      .merge('b', { from: ['third', 'second'] })
      .deadLetters('dead')
      .build()

    expect(shape(topology)).toEqual([
      { name: 'first', nodes: ['first', 'a', 'write'], sources: ['first'], stores: [] },
      { name: 'second', nodes: ['second', 'third', 'b'], sources: ['second', 'third'], stores: [] },
    ])
  })

  test('a shared store joins, however late', () => {
    const shared = store('shared')
    const topology = new TopologyBuilder()
      .source('one', input)
      .process('p', { from: 'one', stores: [shared], processor: pass })
      .source('two', output)
      .process('q', { from: 'two', stores: [store('own')], processor: pass })
      .process('r', {
        from: 'q',
        stores: [shared],
        processor: () => ({ process: () => undefined }),
      })
      .deadLetters('dead')
      .build()

    expect(shape(topology)).toEqual([
      {
        name: 'one',
        nodes: ['one', 'p', 'two', 'q', 'r'],
        sources: ['one', 'two'],
        stores: ['shared', 'own'],
      },
    ])
  })

  test('an effect joins its records, its commands and its store', () => {
    const topology = new TopologyBuilder()
      .source('requests', requested, { subTopology: 'send' })
      .source('commands', commands)
      .effect('smtp', {
        from: 'requests',
        commandsFrom: 'commands',
        store: store('outbox'),
        definition: {},
      })
      .deadLetters('dead')
      .build()

    expect(shape(topology)).toEqual([
      {
        name: 'send',
        nodes: ['requests', 'commands', 'smtp'],
        sources: ['requests', 'commands'],
        stores: ['outbox'],
      },
    ])
  })

  test('a topic that comes back to its own sub-topology is no circle', () => {
    const topology = new TopologyBuilder()
      .source('first', input)
      .source('again', again)
      .merge('all', { from: ['first', 'again'] })
      .sink('rerouted', { from: 'all', topic: again })
      .deadLetters('dead')
      .build()

    expect(topology.subTopologies).toHaveLength(1)
  })
})

describe('operators', () => {
  const record = (value: string): StreamRecord<string, string> => ({
    key: 'k',
    value,
    timestampMs: 0,
    headers: [],
  })
  const left = topic('left', text)
  const topology = new TopologyBuilder()
    .source('input', input)
    .filter('short', { from: 'input', predicate: ({ value }) => value.length < 3 })
    .map('loud', { from: 'input', map: each => ({ ...each, value: each.value.toUpperCase() }) })
    .branch('fork', {
      from: 'input',
      branches: { a: ({ value }) => value.startsWith('a'), ab: ({ value }) => value === 'ab' },
    })
    .merge('all', { from: ['short', 'loud'] })
    .sink('a', { from: 'fork', topic: left })
    .sink('ab', { from: 'fork', topic: left, partition: (_each, partitions) => partitions - 1 })
    .deadLetters('dead')
    .build()

  /** What the node forwards for the value, and to whom. */
  function forwarded(name: string, value: string): unknown[] {
    const node = topology.nodes.find(each => each.name === name)
    if (node?.kind !== 'process') throw new Error(`'${name}' is no processor`)
    const results: unknown[] = []
    const context = {
      forward: (each: StreamRecord, to?: string) => results.push([each.value, to]),
    }
    node.create().process(record(value), context as never)
    return results
  }

  test.each([
    { name: 'short', value: 'ab', forwards: [['ab', undefined]] },
    { name: 'short', value: 'abc', forwards: [] },
    { name: 'loud', value: 'ab', forwards: [['AB', undefined]] },
    { name: 'fork', value: 'ab', forwards: [['ab', 'a']] },
    { name: 'fork', value: 'b', forwards: [] },
    { name: 'all', value: 'ab', forwards: [['ab', undefined]] },
  ])('$name of $value forwards $forwards', ({ name, value, forwards }) => {
    expect(forwarded(name, value)).toEqual(forwards)
  })

  test('a sink keeps its own partitioning', () => {
    const sink = topology.nodes.find(each => each.name === 'ab')

    expect(sink?.kind === 'sink' && sink.partition?.(record('x'), 6)).toBe(5)
  })
})

test('a topic is frozen and keeps its settings', () => {
  const made = topic('t', { key: utf8Serde, value: bytesSerde, internal: { configs: { a: 'b' } } })

  expect(made).toEqual({
    name: 't',
    key: utf8Serde,
    value: bytesSerde,
    internal: { configs: { a: 'b' } },
  })
  expect([made, made.internal, made.internal?.configs].every(Object.isFrozen)).toBe(true)
  expect(topic('t', text)).not.toHaveProperty('internal')
})
