import { expectTypeOf, test } from 'vitest'

import { utf8Serde } from '../../src/serde.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { Processor, StreamRecord, Topic, Topology } from '../../src/topology/topology.ts'
import {
  accepted,
  commands,
  counting,
  dedup,
  failed,
  requested,
  store,
  type Failure,
  type FailureRecord,
  type Request,
  type RequestRecord,
} from './sample-topology.ts'

const sources = new TopologyBuilder().source('requests', requested).source('commands', commands)

test('topics know the types of their records', () => {
  expectTypeOf(requested).toEqualTypeOf<Topic<string, Request>>()
})

test('a topology of fitting parts compiles', () => {
  const builder = sources
    .process('dedup', { from: 'requests', stores: [store<Request>('dedup')], processor: dedup })
    .sink('accepted', { from: 'dedup', topic: accepted })
    .sink('failed', { from: 'dedup', topic: failed })
    .effect('send', {
      from: 'requests',
      commandsFrom: 'commands',
      store: store('outbox'),
      definition: {},
    })
    .sink('sent', { from: 'send', topic: topic('sent', { key: utf8Serde, value: utf8Serde }) })
    .deadLetters('dead')

  expectTypeOf(builder).toHaveProperty('build').returns.toEqualTypeOf<Topology>()
})

test('names are taken once', () => {
  // @ts-expect-error -- TopologyTypeError<"a node named 'requests' already exists">
  sources.source('requests', requested)
  // @ts-expect-error -- also for other kinds of nodes
  sources.merge('requests', { from: 'commands' })
  sources.merge('fresh', { from: 'commands' })
})

test('parents exist', () => {
  // @ts-expect-error -- TopologyTypeError<"there is no node named 'request' before this one">
  sources.merge('merged', { from: 'request' })
  // @ts-expect-error -- in a list as well
  sources.merge('merged', { from: ['requests', 'request'] })
  // @ts-expect-error -- not before it is declared
  sources.process('dedup', { from: 'dedup', processor: dedup })
  sources.merge('merged', { from: ['requests', 'commands'] })
})

test('nothing comes out of a sink', () => {
  const withSink = sources.sink('accepted', { from: 'requests', topic: accepted })
  // @ts-expect-error -- TopologyTypeError<"'accepted' is a sink: nothing comes out of it">
  withSink.merge('after', { from: 'accepted' })
})

test('a processor takes what its parents forward', () => {
  // @ts-expect-error -- TopologyTypeError<"the records of 'requests' are not what this node takes">
  sources.process('count', { from: 'requests', processor: counting })
  // @ts-expect-error -- every parent must fit
  sources.process('dedup', { from: ['requests', 'commands'], processor: dedup })

  const narrower = (): Processor<StreamRecord<string, Request & { extra: 1 }>> => ({
    process: () => undefined,
  })
  // @ts-expect-error -- a processor that wants more than there is
  sources.process('narrower', { from: 'requests', processor: narrower })

  const wider = (): Processor<StreamRecord<string, { readonly id: string }>> => ({
    process: () => undefined,
  })
  sources.process('wider', { from: 'requests', processor: wider })
})

test('a processor that chooses its children may forward several kinds, each child takes one', () => {
  const builder = sources.process('dedup', { from: 'requests', processor: dedup })

  builder.sink('accepted', { from: 'dedup', topic: accepted })
  builder.process('count', { from: 'dedup', processor: counting })
  const numbers = topic('numbers', { key: utf8Serde, value: store<number>('x').value })
  // @ts-expect-error -- none of its kinds is a number
  builder.sink('numbers', { from: 'dedup', topic: numbers })
})

test('a node that forwards everything to every child must fit as a whole', () => {
  const mixed = sources
    .process('dedup', { from: 'requests', processor: dedup })
    .merge('mixed', { from: 'dedup' })

  // @ts-expect-error -- failures would come along
  mixed.sink('accepted', { from: 'mixed', topic: accepted })
  const either = topic('either', { key: utf8Serde, value: store<Request | Failure>('x').value })
  mixed.sink('either', { from: 'mixed', topic: either })
})

test('a sink writes what its topic holds, key and value', () => {
  // @ts-expect-error -- TopologyTypeError<"the records of 'requests' are not what this node takes">
  sources.sink('failed', { from: 'requests', topic: failed })
  const byNumber = topic('by-number', { key: store<number>('x').value, value: requested.value })
  // @ts-expect-error -- the key differs
  sources.sink('by-number', { from: 'requests', topic: byNumber })
})

test('functions see the records of their parents', () => {
  sources
    .filter('urgent', {
      from: 'requests',
      predicate: record => {
        expectTypeOf(record).toEqualTypeOf<RequestRecord>()
        return record.value.subject.startsWith('!')
      },
    })
    .map('failures', {
      from: 'urgent',
      map: record => ({ ...record, value: { id: record.value.id, reason: 'urgent' }, key: 'k' }),
    })
    .sink('failed', { from: 'failures', topic: failed })
    .branch('either', {
      from: ['requests', 'failures'],
      branches: {
        left: record => 'subject' in record.value,
        // @ts-expect-error -- a failure has no subject
        right: record => record.value.subject === '',
      },
    })
})

test('commands come from a source', () => {
  const effect = { from: 'requests', store: store('outbox'), definition: {} } as const
  sources.effect('send', { ...effect, commandsFrom: 'commands' })
  const merged = sources.merge('merged', { from: 'requests' })
  // @ts-expect-error -- TopologyTypeError<"'merged' is not a source">
  merged.effect('send', { ...effect, commandsFrom: 'merged' })
})

test('a store is named by its definition, whatever its values are', () => {
  sources.process('dedup', {
    from: 'requests',
    stores: [store<Request>('a'), store<FailureRecord>('b')],
    prefetch: record => [{ store: store<Request>('a'), key: record.value.id }],
    processor: dedup,
  })
})
