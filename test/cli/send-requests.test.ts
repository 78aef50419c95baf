import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { RequestPublisher } from '../../src/cli/request-publisher.ts'
import { RequestReader } from '../../src/cli/request-reader.ts'
import { sendFile, sendOne, sendStream, type SendJob } from '../../src/cli/send-requests.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import { schemaText } from '../../src/email/schemas.ts'
import { StreamsError, type ErrorCode } from '../../src/errors.ts'
import { seededRandom } from '../../src/random.ts'
import type {
  GatheredRecords,
  ProducedRange,
  ProducedRecord,
  TransactionalProducer,
} from '../../src/runtime/ports.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import { plainAvroSerde } from '../support/plain-avro-serde.ts'
import { MemoryTerminal } from './memory-terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-send-'))
afterAll(() => rmSync(folder, { recursive: true }))

const serde = plainAvroSerde<EmailRequested>(schemaText('email.requested'))

/** Keeps what was committed, transaction by transaction; fails at the commits it is told to. */
class RecordingProducer implements TransactionalProducer {
  readonly committed: (readonly ProducedRecord[])[] = []
  readonly failures: ErrorCode[] = []
  inits = 0
  #open: readonly ProducedRecord[] = []

  async init(): Promise<void> {
    this.inits += 1
    this.#open = []
  }

  async send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    this.#open = [...this.#open, ...records]
    return []
  }

  gather(): GatheredRecords {
    throw new Error('send knows its records')
  }

  async sendGathered(): Promise<readonly ProducedRange[]> {
    throw new Error('send knows its records')
  }

  async addOffsets(): Promise<void> {
    throw new Error('send reads nothing')
  }

  async commit(): Promise<void> {
    const failure = this.failures.shift()
    if (failure !== undefined) throw new StreamsError(failure, 'as told')
    this.committed.push(this.#open)
    this.#open = []
  }

  async abort(): Promise<void> {
    this.#open = []
  }

  async close(): Promise<void> {
    this.#open = []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get requests(): EmailRequested[] {
    return this.committed.flat().map(record => serde.deserialize(record.value ?? Buffer.alloc(0)))
  }
}

function jobOf(
  stdin: readonly string[] = [],
  recordBytesMax = 2000,
): {
  job: SendJob
  terminal: MemoryTerminal
  producer: RecordingProducer
  connected: () => number
} {
  const terminal = new MemoryTerminal({}, stdin)
  const producer = new RecordingProducer()
  const random = seededRandom(1)
  const publisher = new RequestPublisher({
    producer,
    serde,
    partitions: 6,
    recordBytesMax,
    random,
    nowMs: () => 5000,
  })
  const reader = new RequestReader({
    source: undefined,
    makeRequestId: () => random.uuid(),
    nowMs: () => 5000,
  })
  let connections = 0
  const job = {
    terminal,
    reader,
    publisher: async () => {
      connections += 1
      return publisher
    },
  }
  return { job, terminal, producer, connected: () => connections }
}

function line(requestId: string, more: Record<string, unknown> = {}): string {
  return `${JSON.stringify({ requestId, source: 'shop', to: ['a@example.com'], subject: 'Hi', text: 'x', ...more })}\n`
}

function fileOf(...lines: string[]): string {
  const path = join(folder, 'requests.ndjson')
  writeFileSync(path, lines.join(''))
  return path
}

async function refusal(sending: Promise<unknown>): Promise<string> {
  const error: unknown = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof StreamsError && error.code === 'REQUEST_INVALID') return error.message
  throw new Error(`not refused: ${String(error)}`)
}

test('a request stands under its id in the partition that Kafka itself would choose, with a trace', async () => {
  const { job, terminal, producer } = jobOf()

  const code = await sendOne(job, job.reader.fromLine(line('r-17')))

  const [record] = producer.committed.flat()
  expect(code).toBe(0)
  expect(terminal.printed).toEqual(['r-17'])
  expect(record).toMatchObject({
    topic: 'email.requested',
    key: Buffer.from('r-17'),
    partition: partitionForKey(Buffer.from('r-17'), 6),
    timestampMs: 5000,
  })
  expect(record?.headers[0]?.key).toBe('traceparent')
  expect(record?.headers[0]?.value?.toString()).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  expect(producer.requests[0]).toMatchObject({ requestId: 'r-17', source: 'shop' })
})

test('a file is published in its order, in one transaction where it fits, and its ids are printed', async () => {
  const { job, terminal, producer } = jobOf()

  const code = await sendFile(job, fileOf(line('r-1'), '\n', line('r-2'), line('r-3')))

  expect(code).toBe(0)
  expect(producer.committed.map(records => records.length)).toEqual([3])
  expect(producer.requests.map(request => request.requestId)).toEqual(['r-1', 'r-2', 'r-3'])
  expect(terminal.printed).toEqual(['r-1', 'r-2', 'r-3'])
  expect(terminal.told).toEqual(['3 published'])
})

test('a file with one wrong line is not published at all, and no broker is asked', async () => {
  const { job, terminal, producer, connected } = jobOf()
  const path = fileOf(line('r-1'), line('r-2', { to: 'a@example.com' }), 'no json\n')

  const message = await refusal(sendFile(job, path))

  expect(message).toContain(`2 of 3 lines of ${path} are no requests: nothing was published`)
  expect(terminal.told[0]).toBe(`${path} line 2: to has to be a list, not "a@example.com"`)
  expect(terminal.told[1]).toContain(`${path} line 3: is no JSON`)
  expect([terminal.printed, producer.committed, connected()]).toEqual([[], [], 0])
})

test('a file with a mail that is too large for the topic is not published at all', async () => {
  const { job, terminal, producer } = jobOf()
  const path = fileOf(line('r-1'), line('r-2', { text: 'x'.repeat(3000) }))

  const message = await refusal(sendFile(job, path))

  expect(message).toContain('1 of 2 lines')
  expect(terminal.told[0]).toMatch(
    /line 2: needs \d+ bytes as a record, more than the 2000 that email\.requested takes/,
  )
  expect(producer.committed).toEqual([])
})

test('a file that does not exist is named', async () => {
  expect(await refusal(sendFile(jobOf().job, '/does/not/exist'))).toContain(
    '/does/not/exist cannot be read',
  )
})

test('many lines are many transactions', async () => {
  const { job, producer } = jobOf()
  const ids = Array.from({ length: 1201 }, (_, index) => `r-${index}`)

  await sendFile(job, fileOf(...ids.map(id => line(id))))

  expect(Math.max(...producer.committed.map(records => records.length))).toBeLessThanOrEqual(500)
  expect(producer.requests.map(request => request.requestId)).toEqual(ids)
})

test('standard input is published as it comes', async () => {
  const { job, producer } = jobOf([line('r-1') + line('r-2'), line('r-3')])

  expect(await sendStream(job)).toBe(0)
  expect(producer.committed.map(records => records.length)).toEqual([2, 1])
})

test('a wrong line of standard input is left out, the others are published, the end is a failure', async () => {
  const { job, terminal, producer } = jobOf([
    line('r-1'),
    '{"to":7}\n',
    line('r-2', { text: 'x'.repeat(3000) }),
    line('r-3'),
  ])

  const message = await refusal(sendStream(job))

  expect(message).toContain(
    '2 lines of standard input are no requests and were left out, 2 were published',
  )
  expect(terminal.told.map(text => text.slice(0, 23))).toEqual([
    'standard input line 2: ',
    'standard input line 3: ',
  ])
  expect(producer.requests.map(request => request.requestId)).toEqual(['r-1', 'r-3'])
  expect(terminal.printed).toEqual(['r-1', 'r-3'])
})

test('complaints about thousands of lines end after twenty', async () => {
  const { job, terminal } = jobOf(['{}\n'.repeat(3000)])

  expect(await refusal(sendStream(job))).toContain('3000 lines of standard input')
  expect(terminal.told).toHaveLength(21)
})

test('an id that was left out is made anew for each line', async () => {
  const { job, terminal } = jobOf([line('r-1').replace('"requestId":"r-1",', '').repeat(2)])

  await sendStream(job)

  expect(new Set(terminal.printed).size).toBe(2)
  for (const id of terminal.printed) expect(id).toMatch(/^[0-9a-f-]{36}$/)
})

test.each<ErrorCode>(['COMMIT_OUTCOME_UNKNOWN', 'TRANSACTION_ABORTED', 'BROKER_UNAVAILABLE'])(
  'after %s the requests are written again',
  async code => {
    const { job, producer, terminal } = jobOf([line('r-1')])
    producer.failures.push(code, code)

    await sendStream(job)

    expect(producer.requests.map(request => request.requestId)).toEqual(['r-1'])
    expect([producer.inits, terminal.printed]).toEqual([2, ['r-1']])
  },
)

test.each<{ failures: ErrorCode[]; why: string }>([
  { why: 'the broker refuses us', failures: ['AUTHORIZATION_FAILED'] },
  {
    why: 'it failed five times',
    failures: Array.from({ length: 5 }, () => 'BROKER_UNAVAILABLE' as const),
  },
])('gives up when $why, and prints no id that was not published', async ({ failures }) => {
  const { job, producer, terminal } = jobOf([line('r-1')])
  producer.failures.push(...failures)

  await expect(sendStream(job)).rejects.toMatchObject({ code: failures[0] })
  expect(terminal.printed).toEqual([])
})
