import { bytesSerde, utf8Serde, type Serde } from '../../src/serde.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import { topic } from '../../src/topology/topic.ts'
import type { Processor, StreamRecord } from '../../src/topology/topology.ts'

export interface Request {
  readonly id: string
  readonly subject: string
}

export interface Failure {
  readonly id: string
  readonly reason: string
}

export type RequestRecord = StreamRecord<string, Request>
export type FailureRecord = StreamRecord<string, Failure>

function jsonSerde<Value>(): Serde<Value> {
  return {
    isReady: () => true,
    prepare: () => Promise.resolve(),
    deserialize: bytes => JSON.parse(bytes.toString()) as Value,
    serialize: value => Buffer.from(JSON.stringify(value)),
  }
}

const requestSerde = jsonSerde<Request>()
const failureSerde = jsonSerde<Failure>()

export const requested = topic('requested', { key: utf8Serde, value: requestSerde })
export const accepted = topic('accepted', { key: utf8Serde, value: requestSerde })
export const failed = topic('failed', { key: utf8Serde, value: failureSerde })
export const commands = topic('commands', {
  key: utf8Serde,
  value: bytesSerde,
  internal: { configs: { 'cleanup.policy': 'delete' } },
})

export function store<Value>(name: string): StoreDefinition<Value> {
  return { name, kind: 'memory', value: jsonSerde<Value>(), changelogConfigs: {} }
}

/** Forwards requests or failures, to the child it names. */
export const dedup = (): Processor<RequestRecord, RequestRecord | FailureRecord> => ({
  process: (record, context) => context.forward(record, 'accepted'),
})

export const counting = (): Processor<FailureRecord> => ({
  process: (_record, context) => context.count('failures'),
})
