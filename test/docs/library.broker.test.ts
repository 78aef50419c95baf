import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, inject, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { connectKafka } from '../../src/kafka/connect-kafka.ts'
import { silentLogger } from '../../src/log.ts'
import { blocksOf, markdownPage } from './markdown-page.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-library-'))
afterAll(() => rmSync(folder, { recursive: true }))

// Of this run alone: the broker is shared.
const orders = `orders-${process.pid}`
const client = (): { clientId: string; bootstrapBrokers: string[] } => ({
  clientId: orders,
  bootstrapBrokers: [inject('kafkaBootstrapServers')],
})

async function createTopics(): Promise<void> {
  await using cluster = connectKafka({ ...client(), clock: systemClock, log: silentLogger })
  const names = [orders, `large-${orders}`, `${orders}-dead-letter`]
  await cluster.admin.createTopics(names.map(name => ({ name, partitions: 2, configs: {} })))
}

function writeProgram(): string {
  const [block = ''] = blocksOf(markdownPage('docs/library.md'), 'ts')
  const door = new URL('../../src/index.ts', import.meta.url).href
  const program = block
    .replace(`from 'mailonce'`, `from '${door}'`)
    .replace(`from 'pino'`, `from '${import.meta.resolve('pino')}'`)
    .replaceAll(
      /'(large-)?orders(-dead-letter)?', \{ key/g,
      (_, large = '') => `'${large}${orders}', { key`,
    )
    .replace(`'orders-dead-letter'`, `'${orders}-dead-letter'`)
    .replace(`'order-filter'`, `'filter-${orders}'`)
  const file = join(folder, 'orders.ts')
  writeFileSync(file, program)
  return file
}

/** What a reader of committed records gets of both partitions. */
async function firstLargeOrders(count: number): Promise<readonly string[]> {
  await using cluster = connectKafka({ ...client(), clock: systemClock, log: silentLogger })
  const fetcher = cluster.createFetcher({
    maxWaitMs: 100,
    maxBytesPerPartition: 1e6,
    maxBytes: 1e6,
  })
  for (const partition of [0, 1]) fetcher.assign({ topic: `large-${orders}`, partition }, 0)
  const found: string[] = []
  while (found.length < count) {
    await new Promise<void>(resolve => {
      fetcher.onReady(resolve)
    })
    for (const { records } of fetcher.poll())
      found.push(...records.map(({ key, value }) => `${String(key)}: ${String(value)}`))
  }
  return found
}

/** A producer that waits for the leaders of topics that have just been made. */
async function publish(values: Readonly<Record<string, string>>): Promise<void> {
  await using cluster = connectKafka({ ...client(), clock: systemClock, log: silentLogger })
  const producer = cluster.createProducer({ transactionalId: orders, transactionTimeoutMs: 10_000 })
  await producer.init()
  await producer.send(
    Object.entries(values).map(([key, value], index) => ({
      topic: orders,
      partition: index % 2,
      key: Buffer.from(key),
      value: Buffer.from(value),
      headers: [],
      timestampMs: Date.now(),
    })),
  )
  await producer.commit()
}

test('the processor of docs/library.md runs against Kafka and drains on SIGTERM', async () => {
  await createTopics()
  await publish({ ada: '99', bob: '100', cyd: '2500' })
  const program = spawn(process.execPath, [writeProgram()], {
    cwd: folder,
    env: { KAFKA: inject('kafkaBootstrapServers') },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: program.stdout }))
    if (line.includes('"event":"running"')) break

  const large = await firstLargeOrders(2)
  program.kill('SIGTERM')
  const [code] = await once(program, 'close')

  expect(large.toSorted()).toEqual(['bob: 100', 'cyd: 2500'])
  expect(code).toBe(0)
})
