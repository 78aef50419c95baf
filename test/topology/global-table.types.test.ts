import { expectTypeOf, test } from 'vitest'
import { globalTable, type GlobalTable, type TableView } from '../../src/global-table.ts'
import { bytesSerde, utf8Serde } from '../../src/serde.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { ProcessorContext } from '../../src/topology/topology.ts'
import { type Request, requested } from './sample-topology.ts'

test('a table holds the values of its topic, or what it keeps of them', () => {
  const whole = globalTable('requests', requested)
  const subjects = globalTable('subjects', requested, { keep: ({ subject }) => subject })

  expectTypeOf(whole).toEqualTypeOf<GlobalTable<Request>>()
  expectTypeOf(subjects).toEqualTypeOf<GlobalTable<string>>()
  // @ts-expect-error -- keys are text
  globalTable('raw', topic('raw', { key: bytesSerde, value: utf8Serde }))
})

test('who asks for a table is given its values, and may be given none', () => {
  const subjects = globalTable('subjects', requested, { keep: ({ subject }) => subject })

  const look = (context: ProcessorContext) => context.table(subjects)

  expectTypeOf(look).returns.toEqualTypeOf<TableView<string>>()
  expectTypeOf<TableView<string>['get']>().returns.toEqualTypeOf<string | undefined>()
  // @ts-expect-error -- nobody writes to it but through its topic
  expectTypeOf<TableView<string>>().toHaveProperty('put')
})

test('a table is no node: nothing comes from it', () => {
  const builder = new TopologyBuilder()
    .globalTable(globalTable('table', requested))
    .source('requests', topic('in', { key: utf8Serde, value: utf8Serde }))

  // @ts-expect-error -- TopologyTypeError<"there is no node named 'table' before this one">
  builder.merge('all', { from: 'table' })
})
