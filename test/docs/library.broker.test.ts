import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
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

async function firstLargeOrders(count: number): Promise<readonly string[]> {
  const consumer = new Consumer({
    ...client(),
    groupId: `reader-${orders}`,
    deserializers: stringDeserializers,
  })
  const stream = await consumer.consume({
    topics: [`large-${orders}`],
    mode: 'earliest',
    isolationLevel: 1,
  })
  const found: string[] = []
  for await (const { key, value } of stream) {
    found.push(`${key}: ${value}`)
    if (found.length === count) break
  }
  await consumer.close(true)
  return found
}

test('the processor of docs/library.md runs against Kafka and drains on SIGTERM', async () => {
  await createTopics()
  const producer = new Producer({ ...client(), serializers: stringSerializers })
  await producer.send({
    messages: [
      { topic: orders, key: 'ada', value: '99' },
      { topic: orders, key: 'bob', value: '100' },
      { topic: orders, key: 'cyd', value: '2500' },
    ],
  })
  await producer.close()
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
