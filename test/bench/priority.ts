import { topicNames } from '../../src/email/topic-names.ts'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { createTopic, openBenchWorld } from './bench-world.ts'
import { loadRequests, requestRecord } from './load-requests.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Figures, Scenario } from './scenario.ts'

const bulk = 100_000
const urgent = 50
const everyMs = 200

/** Behind a bulk run that the relay takes minutes for: how long a request with priority HIGH takes from just before it is published to the relay. */
export const priority: Scenario = {
  name: 'priority',
  what: `HIGH request → relay, behind ${bulk} of BULK in the outbox`,
  open: ({ nodeFlags }) =>
    Promise.resolve({
      contenders: [{ name: 'mailonce', run: () => once(nodeFlags) }],
      compared: [],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
}

async function once(nodeFlags: readonly string[]): Promise<Figures> {
  await using world = await openBenchWorld()
  await createTopic(world, topicNames.requested)
  await using relay = await CountingSmtpProcess.start({ delayMs: 20 })
  await loadRequests(world, {
    records: bulk,
    duplicatePercent: 0,
    textBytes: 600,
    priority: 'BULK',
  })
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
  const open = (): Promise<number> => processor.metric('mailonce_open_requests', 'send')
  const sent = (): Promise<number> => relay.accepted()
  while ((await open()) + (await sent()) < bulk) await pause(200)
  const openAtBegin = await open()

  await using producer = world.cluster.createProducer({
    transactionalId: 'bench-priority',
    transactionTimeoutMs: 10_000,
  })
  await producer.init()
  const publishedAtMs = new Map<string, number>()
  for (let number = bulk; number < bulk + urgent; number += 1) {
    publishedAtMs.set(`user${number}@example.com`, Date.now())
    await producer.send([requestRecord(world, number, 'Your code is 123456.', 'HIGH')])
    await producer.commit()
    await pause(everyMs)
  }
  await pause(2000)
  const took = (await relay.deliveries())
    .flatMap(({ atMs, recipients }) => {
      const publishedMs = publishedAtMs.get(recipients[0]!)
      return publishedMs === undefined ? [] : [atMs - publishedMs]
    })
    .toSorted((a, b) => a - b)
  const openAtEnd = await open()
  return {
    p50Ms: took[took.length >> 1]!,
    maxMs: took.at(-1)!,
    delivered: took.length,
    openAtBegin,
    openAtEnd,
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
