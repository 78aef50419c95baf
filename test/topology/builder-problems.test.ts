import { describe, expect, test } from 'vitest'

import { errorCodeOf } from '../../src/errors.ts'
import { globalTable } from '../../src/global-table.ts'
import { utf8Serde } from '../../src/serde.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { StreamRecord, Topology } from '../../src/topology/topology.ts'
import { commands, store } from './sample-topology.ts'

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
      rule: 'two global tables of a name',
      builder: used
        .globalTable(globalTable('table', output))
        .globalTable(globalTable('table', output)),
      says: /two global tables are named 'table'/,
    },
    {
      rule: 'a global table without a name of its own',
      builder: used.globalTable(globalTable('a b', output)),
      says: /'a b' is no name for a global table/,
    },
    {
      rule: 'a global table of a topic that is shared out',
      builder: used.globalTable(globalTable('table', input)),
      says: /'table' and a source read the topic 'input'/,
    },
    {
      rule: 'a global table of an internal topic',
      builder: used.globalTable(globalTable('table', changelog)),
      says: /'table' reads an internal topic/,
    },
    {
      rule: 'a global table of a bad topic',
      builder: used.globalTable(globalTable('table', topic('a b', text))),
      says: /'a b' is no topic name/,
    },
    {
      rule: 'a global table of the dead letters',
      builder: used.globalTable(globalTable('table', topic('dead', text))),
      says: /'table' reads the dead letters/,
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

function failureOf(builder: { build(): Topology }): Error {
  try {
    builder.build()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it was built')
}
