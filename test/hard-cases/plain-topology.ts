import { type Serde, utf8Serde } from '../../src/serde.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type {
  ProcessorContext,
  Punctuation,
  StreamRecord,
  Topology,
} from '../../src/topology/topology.ts'

export const plainTopics = ['in', 'out', 'dead-letters']

const text = { key: utf8Serde, value: utf8Serde }
type Text = StreamRecord<string, string>
export type PlainContext = ProcessorContext<Text>

/** From `in` to `out`, each value through the function. */
export function plainTopology(
  change: (value: string) => string,
  to = 'out',
  incoming: Serde<string> = utf8Serde,
  punctuations: readonly Punctuation<Text>[] = [],
): Topology {
  return new TopologyBuilder()
    .source('in', topic('in', { key: utf8Serde, value: incoming }), { subTopology: 'plain' })
    .process('change', {
      from: 'in',
      processor: () => ({
        punctuations,
        process: (record: Text, context: PlainContext) =>
          context.forward({ ...record, value: change(record.value) }),
      }),
    })
    .sink('out', { from: 'change', topic: topic(to, text) })
    .deadLetters('dead-letters')
    .build()
}
