import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import {
  Admin,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
} from '@platformatic/kafka'
import { SMTPServer } from 'smtp-server'

import { topicNames } from '../../src/email/topic-names.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import { pause } from './big-store.ts'
import { type BenchWorld, createTopic, openBenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'
import { knownRequest } from './known-requests.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Figures, Scenario } from './scenario.ts'

const megabyte = 1_000_000
/** One in ten has an attachment of so many bytes. */
const largeBytes = 10 * megabyte
const largeEvery = 10

/** Requests of 10 MB among small ones, all there when the instance starts: its peak of memory until the last is delivered. */
export const largeMails: Scenario = {
  name: 'large-mails',
  what: `a mail of 10 MB among ${largeEvery} (--mails)`,
  open: ({ mails, nodeFlags }) =>
    Promise.resolve({
      contenders: [{ name: 'mailonce', run: () => ours(mails, nodeFlags) }],
      compared: [],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
}

async function ours(mails: number, nodeFlags: readonly string[]): Promise<Figures> {
  await using world = await openBenchWorld()
  await using sink = await startSink()
  await createTopic(world, topicNames.requested)
  await takeLargeRecords(world)
  await publish(world, mails)
  await using processor = new ProcessorProcess(
    [
      `--kafka=${world.kafka}`,
      `--schema-registry=${world.registryUrl}`,
      `--smtp=${sink.url}`,
      `--state-dir=${world.directory}/state`,
    ],
    nodeFlags,
  )
  await processor.ready
  const beganMs = performance.now()
  while (sink.accepted() < mails) await pause(200)
  const seconds = (performance.now() - beganMs) / 1000
  const large = Math.floor(mails / largeEvery)
  const { maxRssMb } = processor.memory()
  return { mails, large, megabytesPerSecond: (large * largeBytes) / megabyte / seconds, maxRssMb }
}

interface Sink extends AsyncDisposable {
  readonly url: string
  readonly accepted: () => number
}

/** Lets go of what it reads at once: it is not what is measured. */
async function startSink(): Promise<Sink> {
  let accepted = 0
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    disableReverseLookup: true,
    logger: false,
    onData: (stream, _session, done) => {
      stream.resume()
      stream.once('end', () => {
        accepted += 1
        done()
      })
    },
  })
  server.on('error', () => undefined)
  const listener = server.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    url: `smtp://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    accepted: () => accepted,
    [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())),
  }
}

async function takeLargeRecords({ kafka }: BenchWorld): Promise<void> {
  const admin = new Admin({ clientId: 'mailonce-bench', bootstrapBrokers: kafka.split(',') })
  const configs = [
    {
      name: 'max.message.bytes',
      value: String(2 * largeBytes),
      configOperation: IncrementalAlterConfigOperationTypes.SET,
    },
  ]
  await admin.incrementalAlterConfigs({
    resources: [topicNames.requested, topicNames.dedup, topicNames.deadLetter].map(
      resourceName => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName, configs }),
    ),
  })
  await admin.close()
}

async function publish(world: BenchWorld, mails: number): Promise<void> {
  await using producer = world.cluster.createProducer({
    transactionalId: 'bench-large',
    transactionTimeoutMs: 60_000,
  })
  await producer.init()
  const content = Buffer.alloc(largeBytes, 'x')
  for (let begin = 0; begin < mails; begin += largeEvery) {
    const records = Array.from({ length: Math.min(largeEvery, mails - begin) }, (_, index) => {
      const request = knownRequest(begin + index, Date.now())
      const attachments =
        index === largeEvery / 2
          ? [{ filename: 'a.bin', contentType: 'application/octet-stream', content }]
          : []
      const key = Buffer.from(request.requestId)
      return {
        topic: topicNames.requested,
        partition: partitionForKey(key, partitions),
        key,
        value: world.serdes.requested.serialize({ ...request, attachments }),
        headers: [],
        timestampMs: Date.now(),
      }
    })
    await producer.send(records)
    await producer.commit()
  }
}
