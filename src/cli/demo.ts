import { sleep, type Clock } from '../clock.ts'
import type { EmailRequested } from '../email/records.ts'
import type { ProducedRecord } from '../runtime/ports.ts'
import { demoCases, type DemoCase } from './demo-cases.ts'
import type { DemoObservations } from './demo-observations.ts'
import type { RequestPublisher } from './request-publisher.ts'
import { textTable } from './text-table.ts'

export interface DemoOptions {
  readonly publisher: RequestPublisher
  /** Partitions of `email.requested`. */
  readonly partitions: number
  readonly observations: DemoObservations
  readonly dedupWindowMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** For a person who waits. */
  readonly progress: (text: string) => void
}

export interface DemoResult {
  readonly lines: readonly string[]
  /** Cases that ended otherwise than expected. */
  readonly wrong: number
}

interface RunningCase extends DemoCase {
  readonly requestId: string
  readonly requestedAtMs: number
  readonly notBeforeMs: number | null
}

/** Longest wait for the outcomes, and how long everything must stay as it is once it is right. */
const patienceMs = 30_000
const quietMs = 1000
const lookEveryMs = 50

/** Publishes every case, waits for all outcomes and a little longer for what must not come, and tells how they ended. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { clock, observations, signal, progress } = options
  const running = await publishCases(options)
  const startedMs = clock.monotonicMs()
  const happened = (each: RunningCase): string =>
    observations.describe(each.requestId, each.notBeforeMs)
  const isRight = (each: RunningCase): boolean => happened(each) === each.expected
  let done = -1
  let rightSinceMs: number | undefined
  while (!signal.aborted && clock.monotonicMs() - startedMs < patienceMs) {
    const right = running.filter(isRight).length
    if (right !== done) progress(`${right} of ${running.length} requests have ended as expected`)
    done = right
    if (right < running.length) rightSinceMs = undefined
    else rightSinceMs ??= clock.monotonicMs()
    if (rightSinceMs !== undefined && clock.monotonicMs() - rightSinceMs >= quietMs) break
    await sleep(clock, lookEveryMs, signal)
  }
  const rows = running.map(each => {
    const delayMs = observations.relayDelayMs(each.requestId, each.requestedAtMs)
    return [
      isRight(each) ? 'ok' : 'WRONG',
      each.name,
      each.expected,
      isRight(each) ? 'as expected' : happened(each),
      delayMs === undefined ? '-' : `${delayMs} ms`,
    ]
  })
  const lines = textTable(['', 'request', 'expected', 'what happened', 'request to relay'], rows)
  return { lines, wrong: running.filter(each => !isRight(each)).length }
}

async function publishCases(options: DemoOptions): Promise<RunningCase[]> {
  const { publisher, partitions, clock, progress } = options
  const nowMs = clock.nowMs()
  const running: RunningCase[] = []
  const records: ProducedRecord[] = []
  for (const [index, each] of demoCases(options.dedupWindowMs).entries()) {
    const requestId = `demo-${index + 1}`
    const least = leastRequest(requestId, nowMs)
    const { requests, raw, misplaced } = each.plan(least, nowMs)
    const own = requests.map(request => publisher.toRecord(request))
    if (raw !== undefined) own.push({ ...publisher.toRecord(least), value: raw })
    for (const record of own)
      records.push(misplaced === true ? elsewhere(record, partitions) : record)
    const notBeforeMs = requests[0]?.notBefore ?? null
    running.push({ ...each, requestId, requestedAtMs: nowMs, notBeforeMs })
  }
  await publisher.publish(records)
  progress(`${records.length} requests of ${running.length} kinds published`)
  return running
}

/** As a producer writes it that has no key and a partitioner of its own. */
function elsewhere(record: ProducedRecord, partitions: number): ProducedRecord {
  return { ...record, key: null, partition: (record.partition + 1) % partitions }
}

function leastRequest(requestId: string, nowMs: number): EmailRequested {
  return {
    requestId,
    source: 'demo',
    to: ['alice@example.com'],
    cc: [],
    bcc: [],
    from: null,
    replyTo: null,
    // By the subject the inbox knows which request a mail belongs to.
    subject: requestId,
    text: 'Mailed once.',
    html: null,
    headers: {},
    attachments: [],
    unsubscribe: null,
    priority: 'NORMAL',
    notBefore: null,
    expiresAt: null,
    inDoubt: 'DEFAULT',
    callback: null,
    requestedAt: nowMs,
  }
}
