import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { createTopic, openBenchWorld } from './bench-world.ts'
import { requestRecord } from './load-requests.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Figures, Scenario } from './scenario.ts'

interface Schedule {
  readonly perSecond: number
  /** When the request with this number is published, milliseconds from the beginning. */
  readonly dueMs: (number: number) => number
}

/** One request at a time on a fixed schedule, 100 a second: from just before it is published until the relay has the mail. */
export const latency = latencyScenario('latency', 'request → relay at 100/s', {
  perSecond: 100,
  dueMs: number => number * 10,
})

/** One every 300 ms, give or take 100: nothing else is under way, and no beat of ours that it could keep step with. */
export const latencyQuiet = latencyScenario(
  'latency-quiet',
  'request → relay, one every 300 ms or so',
  { perSecond: 10 / 3, dueMs: number => number * 300 + ((number * 7919) % 211) - 105 },
)

function latencyScenario(name: string, what: string, schedule: Schedule): Scenario {
  return {
    name,
    what,
    open: ({ seconds, nodeFlags }) =>
      Promise.resolve({
        contenders: [{ name: 'mailonce', run: () => once(schedule, seconds, nodeFlags) }],
        compared: [],
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  }
}

async function once(
  { perSecond, dueMs }: Schedule,
  seconds: number,
  nodeFlags: readonly string[],
): Promise<Figures> {
  await using world = await openBenchWorld()
  await createTopic(world, topicNames.requested)
  await using relay = await CountingSmtpProcess.start()
  await using processor = new ProcessorProcess(
    [
      `--kafka=${world.kafka}`,
      `--schema-registry=${world.registryUrl}`,
      `--smtp=${relay.url}`,
      `--state-dir=${world.directory}/state`,
    ],
    nodeFlags,
  )
  await processor.ready
  // As business systems publish: a transaction of theirs would be measured with ours.
  await using producer = world.cluster.createIdempotentProducer({
    transactionalId: 'bench-latency',
    transactionTimeoutMs: 10_000,
  })
  await producer.init()
  const warmup = Math.ceil(5 * perSecond)
  const count = warmup + Math.ceil(seconds * perSecond)
  const publishedAtMs = new Map<string, number>()
  const begin = performance.now()
  for (let number = 0; number < count;) {
    const records = []
    for (; number < count && begin + dueMs(number) <= performance.now(); number += 1) {
      records.push(requestRecord(world, number, 'Your order has been shipped.'))
      publishedAtMs.set(`user${number}@example.com`, Date.now())
    }
    if (records.length > 0) await producer.send(records)
    await new Promise(resolve => setTimeout(resolve, 4))
  }
  while ((await relay.accepted()) < count) await new Promise(resolve => setTimeout(resolve, 50))
  const took = (await relay.deliveries())
    .slice(warmup)
    .map(each => each.atMs - publishedAtMs.get(each.recipients[0]!)!)
    .toSorted((a, b) => a - b)
  const percentile = (share: number) => took[Math.ceil(took.length * share) - 1]!
  return { p50Ms: percentile(0.5), p99Ms: percentile(0.99), maxMs: took.at(-1)! }
}
