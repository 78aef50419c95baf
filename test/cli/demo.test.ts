import { expect, test } from 'vitest'
import { runDemo, type DemoResult } from '../../src/cli/demo.ts'
import { demoCases } from '../../src/cli/demo-cases.ts'
import { DemoObservations } from '../../src/cli/demo-observations.ts'
import { RequestPublisher } from '../../src/cli/request-publisher.ts'
import type {
  EmailCallback,
  EmailFailed,
  EmailRequested,
  EmailSent,
  FailureReason,
} from '../../src/email/records.ts'
import { schemaText } from '../../src/email/schemas.ts'
import { seededRandom } from '../../src/random.ts'
import type { ProducedRecord } from '../../src/runtime/ports.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { plainAvroSerde } from '../support/plain-avro-serde.ts'

const serde = plainAvroSerde<EmailRequested>(schemaText('email.requested'))
const dayMs = 86_400_000

function sent(
  requestId: string,
  statuses: readonly ('ACCEPTED' | 'REJECTED')[] = ['ACCEPTED'],
  attempts = 1,
): EmailSent {
  const recipients = statuses.map((status, index) => ({
    address: `a${index}@example.com`,
    status,
    reply: '',
  }))
  return { requestId, recipients, attempts } as Partial<EmailSent> as EmailSent
}

function failed(requestId: string, reason: FailureReason): EmailFailed {
  return { requestId, reason } as Partial<EmailFailed> as EmailFailed
}

function callback(
  requestId: string,
  outcome: EmailCallback['outcome'],
  sequence: number,
): EmailCallback {
  return { requestId, outcome, sequence } as Partial<EmailCallback> as EmailCallback
}

/** Everything as it should be, in the order of `demoCases`. */
function asExpected(observations: DemoObservations, atMs: number): void {
  const mail = (id: string, delayMs = 10): void =>
    observations.mail({ subject: id, receivedAtMs: atMs + delayMs })
  for (const number of [1, 2, 3, 4, 5, 6, 7, 10]) mail(`demo-${number}`)
  mail('demo-8', 3001)
  for (const number of [1, 2, 3, 4, 5, 8]) observations.sent(sent(`demo-${number}`))
  observations.sent(sent('demo-6', ['ACCEPTED', 'REJECTED']))
  observations.sent(sent('demo-7', ['ACCEPTED'], 2))
  observations.callback(callback('demo-2', 'SENT', 1))
  observations.callback(callback('demo-3', 'DUPLICATE', 2))
  observations.callback(callback('demo-3', 'SENT', 1))
  const reasons: [number, FailureReason][] = [
    [4, 'CONFLICT'],
    [9, 'REJECTED'],
    [10, 'IN_DOUBT'],
    [11, 'INVALID'],
    [12, 'TOO_OLD'],
    [13, 'EXPIRED'],
  ]
  for (const [number, reason] of reasons) observations.failed(failed(`demo-${number}`, reason))
  observations.deadLetter('demo-14', 'RECORD_UNDECODABLE')
}

async function demo(
  see: (observations: DemoObservations, nowMs: number) => void,
): Promise<
  DemoResult & { records: readonly ProducedRecord[]; durationMs: number; progress: string[] }
> {
  const clock = new ManualClock()
  const observations = new DemoObservations()
  const [records, progress]: [ProducedRecord[], string[]] = [[], []]
  const producer = {
    send: async (sending: readonly ProducedRecord[]) => {
      records.push(...sending)
      see(observations, clock.nowMs())
      return []
    },
    commit: () => Promise.resolve(),
  }
  const publisher = new RequestPublisher({
    producer: producer as Partial<
      ConstructorParameters<typeof RequestPublisher>[0]['producer']
    > as never,
    serde,
    partitions: 6,
    recordBytesMax: 1_000_000,
    random: seededRandom(1),
    nowMs: () => clock.nowMs(),
  })
  const ended = { yet: false }
  const running = runDemo({
    publisher,
    partitions: 6,
    observations,
    dedupWindowMs: 7 * dayMs,
    clock,
    signal: new AbortController().signal,
    progress: text => progress.push(text),
  }).finally(() => (ended.yet = true))
  while (!ended.yet) {
    clock.fireNext()
    await Promise.resolve()
  }
  return { ...(await running), records, durationMs: clock.monotonicMs(), progress }
}

test('all as expected is nothing wrong, and it ends soon after', async () => {
  const { lines, wrong, durationMs, progress } = await demo(asExpected)

  expect(wrong).toBe(0)
  expect(lines).toHaveLength(2 + demoCases(7 * dayMs).length)
  expect(lines[2]).toMatch(/^ok {2}good +SENT, mailed once +as expected +10 ms$/)
  expect(durationMs).toBeGreaterThanOrEqual(1000)
  expect(durationMs).toBeLessThan(2000)
  expect(progress.at(-1)).toBe('14 of 14 requests have ended as expected')
})

test.each<{
  rule: string
  see: (observations: DemoObservations, nowMs: number) => void
  row: string
}>([
  {
    rule: 'a second mail',
    see: (o, at) => o.mail({ subject: 'demo-3', receivedAtMs: at }),
    row: 'mailed 2 times',
  },
  { rule: 'a second outcome', see: o => o.sent(sent('demo-1')), row: 'SENT, SENT, mailed once' },
  {
    rule: 'a failure besides',
    see: o => o.failed(failed('demo-1', 'IN_DOUBT')),
    row: 'SENT, FAILED IN_DOUBT',
  },
  {
    rule: 'a second callback',
    see: o => o.callback(callback('demo-2', 'SENT', 2)),
    row: 'callback SENT, callback SENT',
  },
  {
    rule: 'a mail of what is too old',
    see: (o, at) => o.mail({ subject: 'demo-12', receivedAtMs: at }),
    row: 'FAILED TOO_OLD, mailed once',
  },
])('$rule is wrong', async ({ see, row }) => {
  const { lines, wrong } = await demo((observations, nowMs) => {
    asExpected(observations, nowMs)
    see(observations, nowMs)
  })

  expect(wrong).toBe(1)
  expect(lines.find(line => line.startsWith('WRONG'))).toContain(row)
})

test('a mail before its time is wrong', () => {
  const observations = new DemoObservations()
  observations.sent(sent('r'))
  observations.mail({ subject: 'r', receivedAtMs: 2999 })

  expect(observations.describe('r', 3000)).toBe('SENT, mailed once, too early')
  expect(observations.describe('r', 2999)).toBe('SENT, mailed once, not early')
})

test('what does not come is waited for, and then wrong', async () => {
  const { wrong, durationMs } = await demo(() => undefined)

  expect(wrong).toBe(14)
  expect(durationMs).toBeGreaterThanOrEqual(30_000)
})

test('the cases are published as they claim', async () => {
  const { records } = await demo(asExpected)

  const of = (number: number): ProducedRecord[] =>
    records.filter(record => record.key?.toString() === `demo-${number}`)
  const values = (number: number): Buffer[] =>
    of(number).map(record => record.value ?? Buffer.alloc(0))
  const [first, second] = values(3)
  const misplaced = records.find(record => record.key === null)
  expect(first).toEqual(second)
  expect(values(4)[0]).not.toEqual(values(4)[1])
  expect(serde.deserialize(misplaced?.value ?? Buffer.alloc(0)).requestId).toBe('demo-5')
  expect(of(14)[0]?.value?.toString()).toBe('no Avro')
})
