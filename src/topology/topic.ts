import type { Serde } from '../serde.ts'
import type { Topic } from './topology.ts'

export interface TopicOptions<Key, Value> {
  readonly key: Serde<Key>
  readonly value: Serde<Value>
  /** For a topic of ours (repartition, commands): `run` creates `<application-id>-<name>` with these settings, named as Kafka names them. */
  readonly internal?: { readonly configs: Readonly<Record<string, string>> }
}

/** Names a topic and says what its records look like. One constant a topic: the topology tells topics apart by it. */
export function topic<Key, Value>(
  name: string,
  { key, value, internal }: TopicOptions<Key, Value>,
): Topic<Key, Value> {
  if (internal === undefined) return Object.freeze({ name, key, value })
  const configs = Object.freeze({ ...internal.configs })
  return Object.freeze({ name, key, value, internal: Object.freeze({ configs }) })
}
