import type { EffectDefinition } from '../../src/effects/effect.ts'
import { effectCommandSerde, outboxStore } from '../../src/effects/outbox.ts'
import { bytesSerde, type Serde, utf8Serde } from '../../src/serde.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type { ProcessorContext, StreamRecord, Topology } from '../../src/topology/topology.ts'

const seen: StoreDefinition<string> = {
  name: 'seen',
  kind: 'rocksdb',
  value: utf8Serde,
  changelogConfigs: { 'cleanup.policy': 'compact' },
}

const text: { key: Serde<string>; value: Serde<string> } = { key: utf8Serde, value: utf8Serde }
const requests = topic('requests', text)
const unique = topic('unique', text)
const ends = topic('ends', text)
const commands = topic('act-commands', {
  key: bytesSerde,
  value: effectCommandSerde,
  internal: { configs: {} },
})

export const smallTopics = ['requests', 'unique', 'ends', 'dead-letters']

/** Requests named by their value: each once out of `unique`, acted on once, one record in `ends`. */
export function smallTopology(sink: Sink<string>, inDoubt: 'hold' | 'resend'): Topology {
  const definition: EffectDefinition<string> = {
    sink,
    request: utf8Serde,
    plan: (request, { timestampMs }) => ({
      identity: request,
      targets: [request],
      firstSeenMs: timestampMs,
      notBeforeMs: null,
      expiresAtMs: null,
      inDoubt,
      priority: 0,
    }),
    output: end => ({
      to: 'ends',
      key: Buffer.from(end.identity),
      value: `${end.identity} ${end.kind}`,
      headers: [],
      timestampMs: end.atMs,
    }),
    retryDelaysMs: [1000, 2000, 4000],
    rememberMs: 3_600_000,
  }
  return new TopologyBuilder()
    .source('requests', requests, { subTopology: 'dedup' })
    .process('drop-repeats', {
      from: 'requests',
      stores: [seen],
      prefetch: ({ value }: StreamRecord<string, string>) =>
        value.length % 2 === 0 ? [{ store: seen, key: value }] : [],
      processor: () => ({
        process: (
          record: StreamRecord<string, string>,
          context: ProcessorContext<StreamRecord<string, string>>,
        ) => {
          const store = context.store(seen)
          if (store.get(record.value) !== undefined) return
          store.put(record.value, 'seen')
          context.forward(record)
        },
      }),
    })
    .sink('unique', { from: 'drop-repeats', topic: unique })
    .source('accepted', unique, { subTopology: 'act', reread: 'skip' })
    .source('commands', commands, { reread: 'skip' })
    .effect('act', {
      from: 'accepted',
      commandsFrom: 'commands',
      store: outboxStore('outbox', 3_600_000),
      definition,
    })
    .sink('ends', { from: 'act', topic: ends })
    .deadLetters('dead-letters')
    .build()
}
