import { topicNames } from '../../src/email/topic-names.ts'
import { createTopic, openBenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'
import { DedupProcess } from './dedup-process.ts'
import { kafkaStreams, whyNoPeers } from './peers.ts'
import type { Figures, Scenario } from './scenario.ts'

const rate = 1000
const compared = ['p50Ms', 'p90Ms', 'p99Ms', 'maxMs']

/** From just before the request is published until a read_committed consumer has it from `email.dedup`; the peer's probe times both. */
export const dedupLatency: Scenario = {
  name: 'dedup-latency',
  what: `request → visible in email.dedup at ${rate}/s`,
  open: async options => {
    const missing = whyNoPeers()
    if (missing !== undefined) throw new Error(`the probe is a peer's: ${missing}`)
    await using resources = new AsyncDisposableStack()
    const world = resources.use(await openBenchWorld())
    await createTopic(world, topicNames.requested)
    const probe = { rate, seconds: options.seconds, partitions, 'schema-id': world.schemaId }

    const ours = async (): Promise<Figures> => {
      await using worker = new DedupProcess(world, 0, options)
      await worker.line()
      const at = { in: topicNames.requested, out: worker.output, processor: 'mailonce' }
      return figuresOf(await kafkaStreams('probe', world.kafka, { ...at, ...probe }))
    }
    const theirs = async (): Promise<Figures> =>
      figuresOf(await kafkaStreams('latency', world.kafka, probe))

    const contenders = [{ name: 'mailonce', run: ours }]
    if (options.againstPeers) contenders.push({ name: 'kafka-streams', run: theirs })
    const parts = resources.move()
    return { contenders, compared, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  },
}

function figuresOf(line: Readonly<Record<string, number>>): Figures {
  return Object.fromEntries(
    [...compared, 'lost', 'repeated', 'probeLateP99Ms'].map(name => [name, line[name]!]),
  )
}
