import { describe, expect, test } from 'vitest'

import { errorCodeOf } from '../../src/errors.ts'
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
const changelog = topic('s-changelog', { ...text, internal })
/** As JavaScript sees it, where nothing is checked before `build`. */
const untyped = (builder: unknown): any => builder as any

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

describe('what cannot be built', () => {
  const base = new TopologyBuilder().source('input', input).deadLetters('dead')
  const used = base.merge('all', { from: 'input' })
  const effect = { from: 'input', commandsFrom: 'commands', store: store('o'), definition: {} }
  const withCommands = base.source('commands', commands)
  const wrong: readonly { rule: string; builder: { build(): Topology }; says: RegExp }[] = [
    {
      rule: 'no source',
      builder: new TopologyBuilder().deadLetters('dead'),
      says: /begins with source/,
    },
    {
      rule: 'no dead letters',
      builder: new TopologyBuilder().source('input', input).merge('all', { from: 'input' }),
      says: /add deadLetters/,
    },
    {
      rule: 'a bad dead letter topic',
      builder: used.deadLetters('a b'),
      says: /'a b' is no topic/,
    },
    {
      rule: 'dead letters that are read',
      builder: used.deadLetters('input'),
      says: /round for ever/,
    },
    {
      rule: 'two nodes of a name',
      builder: untyped(used).merge('all', { from: 'input' }),
      says: /two nodes are named 'all'/,
    },
    {
      rule: 'an unknown parent',
      builder: untyped(used).merge('x', { from: 'inptu' }),
      says: /'x' comes from 'inptu'/,
    },
    {
      rule: 'itself as its parent',
      builder: untyped(used).merge('x', { from: 'x' }),
      says: /'x' comes from 'x'/,
    },
    { rule: 'no parent', builder: used.merge('x', { from: [] }), says: /'x' has no parent/ },
    {
      rule: 'a sink as parent',
      builder: untyped(used.sink('end', { from: 'all', topic: output })).merge('x', {
        from: 'end',
      }),
      says: /comes from the sink 'end'/,
    },
    {
      rule: 'a source that nobody reads',
      builder: base,
      says: /nobody takes the records of the source 'input'/,
    },
    {
      rule: 'a bad node name',
      builder: used.merge('a/b', { from: 'all' }),
      says: /'a\/b' is no name for a node/,
    },
    {
      rule: 'a node name of dots',
      builder: used.merge('..', { from: 'all' }),
      says: /'\.\.' is no name/,
    },
    {
      rule: 'a long node name',
      builder: used.merge('x'.repeat(101), { from: 'all' }),
      says: /1 to 100/,
    },
    {
      rule: 'a bad store name',
      builder: base.process('p', { from: 'input', stores: [store('a b')], processor: pass }),
      says: /'a b' is no name for a store/,
    },
    {
      rule: 'two definitions of a store',
      builder: base
        .process('p', { from: 'input', stores: [store('s')], processor: pass })
        .process('q', { from: 'input', stores: [store('s')], processor: pass }),
      says: /two definitions of a store 's'/,
    },
    {
      rule: 'two definitions of a topic',
      builder: used.sink('end', { from: 'all', topic: topic('input', text) }),
      says: /two definitions of the topic 'input'/,
    },
    {
      rule: 'a bad topic name',
      builder: used.sink('end', { from: 'all', topic: topic('a b', text) }),
      says: /'a b' is no topic name/,
    },
    {
      rule: 'two sources of a topic',
      builder: used.source('twice', input).merge('both', { from: 'twice' }),
      says: /'input' and 'twice' read the topic 'input'/,
    },
    {
      rule: 'an internal topic that nobody reads',
      builder: used.sink('end', { from: 'all', topic: topic('i', { ...text, internal }) }),
      says: /nobody reads the internal topic 'i'/,
    },
    {
      rule: 'an internal topic that nobody writes',
      builder: used
        .source('inner', topic('i', { ...text, internal }))
        .merge('x', { from: 'inner' }),
      says: /nobody writes the internal topic 'i'/,
    },
    {
      rule: 'an internal topic named like a changelog',
      builder: used
        .process('p', { from: 'input', stores: [store('s')], processor: pass })
        .source('inner', changelog)
        .sink('end', { from: 'inner', topic: changelog }),
      says: /has the name of a store's changelog/,
    },
    {
      rule: 'a branch to a node that is not its child',
      builder: used.branch('b', { from: 'all', branches: { nowhere: () => true } }),
      says: /'b' branches to 'nowhere'/,
    },
    {
      rule: 'commands that are no internal topic',
      builder: untyped(base.source('other', output)).effect('e', {
        ...effect,
        commandsFrom: 'other',
      }),
      says: /name a source of an internal topic/,
    },
    {
      rule: 'commands that others read too',
      builder: untyped(withCommands).effect('e', effect).merge('x', { from: 'commands' }),
      says: /nobody else may read them/,
    },
    {
      rule: 'commands as records',
      builder: untyped(withCommands).effect('e', { ...effect, from: ['input', 'commands'] }),
      says: /nobody else may read them/,
    },
    {
      rule: 'a prefetch below a node that makes its records',
      builder: used.process('p', { from: 'all', prefetch: () => [], processor: pass }),
      says: /prefetch works right below a source/,
    },
    {
      rule: 'two names for a sub-topology',
      builder: base
        .source('one', output, { subTopology: 'one' })
        .source('two', topic('two', text), { subTopology: 'two' })
        .merge('both', { from: ['one', 'two', 'input'] }),
      says: /'one' and 'two' are one sub-topology/,
    },
    {
      rule: 'a bad name of a sub-topology',
      builder: new TopologyBuilder()
        .source('input', input, { subTopology: 'a/b' })
        .merge('x', { from: 'input' })
        .deadLetters('dead'),
      says: /'a\/b' is no name for a sub-topology/,
    },
    {
      rule: 'two sub-topologies of a name',
      builder: used.source('two', output, { subTopology: 'input' }).merge('x', { from: 'two' }),
      says: /two sub-topologies are named 'input'/,
    },
  ]

  test.each(wrong)('$rule', ({ builder, says }) => {
    const failure = failureOf(builder)

    expect(errorCodeOf(failure)).toBe('TOPOLOGY_INVALID')
    expect(failure.message).toMatch(says)
    // One mistake, one line.
    expect(failure.message.split('\n- ')).toHaveLength(2)
  })

  test('all mistakes at once', () => {
    const builder = untyped(new TopologyBuilder())
      .source('a b', input)
      .sink('end', { from: 'nowhere', topic: topic('internal', { ...text, internal }) })

    expect(failureOf(builder).message.split('\n- ')).toHaveLength(6)
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

function failureOf(builder: { build(): Topology }): Error {
  try {
    builder.build()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it was built')
}
