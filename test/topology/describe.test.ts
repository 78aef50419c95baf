import { expect, test } from 'vitest'

import { globalTable } from '../../src/global-table.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { describeTopology } from '../../src/topology/describe.ts'
import { mermaidTopology } from '../../src/topology/mermaid.ts'
import { accepted, commands, dedup, failed, requested, store } from './sample-topology.ts'

const topology = new TopologyBuilder()
  .source('requests', requested, { subTopology: 'dedup' })
  .process('dedup', { from: 'requests', stores: [store('dedup')], processor: dedup })
  .sink('accepted', { from: 'dedup', topic: accepted })
  .sink('refused', { from: 'dedup', topic: failed })
  .source('sends', accepted, { reread: 'skip', subTopology: 'send' })
  .source('commands', commands)
  .effect('send', {
    from: 'sends',
    commandsFrom: 'commands',
    store: store('outbox'),
    definition: {},
  })
  .filter('urgent', { from: 'sends', predicate: () => true })
  .deadLetters('dead')
  .build()

test('as text, like Kafka Streams', () => {
  expect(describeTopology(topology)).toMatchInlineSnapshot(`
    "Topology:
      Sub-topology: dedup
        Source: requests (topic: requested)
          --> dedup
        Processor: dedup (stores: dedup)
          --> accepted, refused
          <-- requests
        Sink: accepted (topic: accepted)
          <-- dedup
        Sink: refused (topic: failed)
          <-- dedup

      Sub-topology: send
        Source: sends (topic: accepted)
          --> send, urgent
        Source: commands (topic: <application-id>-commands)
          --> send
        Effect: send (stores: outbox)
          <-- sends, commands
        Filter: urgent
          <-- sends

      Dead letters: dead
    "
  `)
})

test('as a Mermaid flowchart', () => {
  expect(mermaidTopology(topology)).toMatchInlineSnapshot(`
    "flowchart LR
      topic1[["requested"]]
      topic2[["accepted"]]
      topic3[["failed"]]
      topic4[["&lt;application-id&gt;-commands"]]
      subgraph sub5 ["dedup"]
        node6(["requests"])
        node7["dedup"]
        node8(["accepted"])
        node9(["refused"])
        store10[("dedup")]
      end
      subgraph sub11 ["send"]
        node12(["sends"])
        node13(["commands"])
        node14{{"send"}}
        node15["urgent"]
        store16[("outbox")]
      end
      topic1 --> node6
      node6 --> node7
      node7 -.- store10
      node7 --> node8
      node8 --> topic2
      node7 --> node9
      node9 --> topic3
      topic2 --> node12
      topic4 --> node13
      node12 --> node14
      node13 --> node14
      node14 -.- store16
      node12 --> node15
    "
  `)
})

test('a global table stands beside the sub-topologies, with its topic', () => {
  const suppressed = globalTable('suppressed', accepted)
  const withTable = new TopologyBuilder()
    .globalTable(suppressed)
    .source('requests', requested)
    .process('dedup', { from: 'requests', stores: [store('dedup')], processor: dedup })
    .sink('refused', { from: 'dedup', topic: failed })
    .deadLetters('dead')
    .build()

  expect(describeTopology(withTable)).toContain(
    '  Global table: suppressed (topic: accepted)\n  Dead letters: dead\n',
  )
  expect(mermaidTopology(withTable)).toMatch(/(topic\d+)\[\["accepted"\]\][^]*\1 --> (table\d+)/)
  expect(mermaidTopology(withTable)).toMatch(/table\d+\[\("suppressed"\)\]/)
})
