import { expect, test } from 'vitest'
import type { EmailFailed } from '../../src/email/records.ts'
import type { DuplicateRequest } from '../../src/email/duplicate-request.ts'
import { answers, DedupStage, headerText } from '../support/dedup-stage.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const windowMs = 7 * 24 * 3_600_000
const callback = { context: { order: '7' }, url: null }
const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const header = (key: string, value: string) => ({ key, value: Buffer.from(value) })

test('an accepted request passes with the bytes of its producer, keyed by its request id', () => {
  const stage = new DedupStage(windowMs)
  const request = emailRequested()

  const record = stage.read(request, { key: 'whatever' })[0]?.record

  expect(record?.key).toBe('r-1')
  expect(record?.value).toBe(request)
  expect(record?.raw?.key).toBe(record?.key)
  expect(record?.raw?.value).toBe(record?.value)
  expect(record?.raw?.keyBytes).toEqual(Buffer.from('r-1'))
  expect(record?.raw?.valueBytes.toString()).toBe('bytes of the producer')
})

test.each([
  { what: 'the id itself', requestId: 'r-1', key: Buffer.from('r-1') },
  { what: 'another id', requestId: 'r-1', key: Buffer.from('r-2') },
  { what: 'a longer one', requestId: 'r-1', key: Buffer.from('r-10') },
  { what: 'an empty one', requestId: 'r-1', key: Buffer.alloc(0) },
  { what: 'the id in Latin-1', requestId: 'é', key: Buffer.from('é', 'latin1') },
])('an accepted request is keyed by its request id, whatever its key was: $what', each => {
  const stage = new DedupStage(windowMs)

  const [accepted] = stage.read(emailRequested({ requestId: each.requestId }), { key: each.key })

  expect(accepted?.record.raw?.keyBytes).toEqual(Buffer.from(each.requestId))
})

test('an accepted request keeps its headers and says who accepted it, and where and when it first stood', () => {
  const stage = new DedupStage(windowMs)
  const headers = [header('tenant', 'a'), header('application.id', 'forged')]

  const record = stage.read(emailRequested(), { headers })[0]?.record

  expect(record?.headers.slice(0, -1).map(each => `${each.key}=${each.value?.toString()}`)).toEqual(
    [
      'tenant=a',
      'application.id=mailonce',
      'origin.topic=email.requested',
      'origin.partition=0',
      'origin.offset=0',
      `origin.timestamp=${noonMs}`,
    ],
  )
  expect(record?.headers.at(-1)?.key).toBe('traceparent')
})

test.each([
  { what: 'an accepted request', request: {} },
  { what: 'a duplicate', request: { callback } },
  { what: 'a failure', request: { subject: 'B' } },
])('$what carries the trace of its request', ({ request }) => {
  const stage = new DedupStage(windowMs)
  if (Object.keys(request).length > 0) stage.read(emailRequested())
  const headers = [header('traceparent', trace), header('tracestate', 'a=b')]

  const record = stage.read(emailRequested(request), { headers })[0]?.record

  expect(headerText(record, 'traceparent')).toBe(trace)
  expect(headerText(record, 'tracestate')).toBe('a=b')
})

test.each([
  { what: 'none', headers: [] },
  { what: 'an empty one', headers: [header('traceparent', '')] },
  { what: 'a null one', headers: [{ key: 'traceparent', value: null }] },
  {
    what: 'one of zeros',
    headers: [header('traceparent', trace.replaceAll(/[a-f0-9]{32}/g, '0'.repeat(32)))],
  },
  { what: 'a forbidden version', headers: [header('traceparent', `ff${trace.slice(2)}`)] },
])('without a valid trace one is made, the same on every replay: $what', ({ headers }) => {
  const first = new DedupStage(windowMs).read(emailRequested(), { headers })[0]?.record
  const replay = new DedupStage(windowMs).read(emailRequested(), { headers })[0]?.record
  const other = new DedupStage(windowMs).read(emailRequested(), { headers, offset: 9 })[0]?.record

  const made = headerText(first, 'traceparent')
  expect(made).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(headerText(replay, 'traceparent')).toBe(made)
  expect(headerText(other, 'traceparent')).not.toBe(made)
  expect(first?.headers.filter(each => each.key === 'traceparent')).toHaveLength(1)
})

test('a failure names the request, the reason and every recipient, and carries its own callback', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested())
  const request = emailRequested({
    subject: 'B',
    callback,
    cc: ['bob@example.org', 'ada@example.org'],
    requestedAt: noonMs - 5,
  })

  const record = stage.read(request, { timestampMs: noonMs + 7 })[0]?.record

  expect(record?.key).toBe('r-1')
  expect(record?.timestampMs).toBe(noonMs + 7)
  expect(record?.value).toEqual({
    requestId: 'r-1',
    source: 'billing',
    reason: 'CONFLICT',
    detail: 'this id was first seen at 2026-06-01T12:00:00.000Z with other content',
    recipients: [
      { address: 'ada@example.org', status: 'REJECTED', reply: '' },
      { address: 'bob@example.org', status: 'REJECTED', reply: '' },
    ],
    attempts: 0,
    messageId: null,
    relay: null,
    callback,
    requestedAt: noonMs - 5,
    failedAt: noonMs + 7,
  } satisfies EmailFailed)
})

test('a failure stays small whatever the request quotes', () => {
  const to = Array.from({ length: 5 }, () => '\u0001'.repeat(200))

  const failed = new DedupStage(windowMs).read(emailRequested({ to }))[0]?.record.value

  expect((failed as EmailFailed).detail).toHaveLength(1000)
})

test('a failure names no more recipients than a request may have', () => {
  const to = Array.from({ length: 5000 }, (_, index) => `a${index}@example.org`)

  const failed = new DedupStage(windowMs).read(emailRequested({ to }))[0]?.record.value

  expect((failed as EmailFailed).reason).toBe('INVALID')
  expect((failed as EmailFailed).recipients).toHaveLength(1000)
})

test('a duplicate carries its callback, its place and how long its original is known', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested())

  const record = stage.read(emailRequested({ callback }), { offset: 4, timestampMs: noonMs + 7 })[0]

  expect(record?.record.key).toBe('r-1')
  expect(record?.record.value).toEqual({
    source: 'billing',
    requestId: 'r-1',
    callback,
    partition: 0,
    offset: 4,
    timestampMs: noonMs + 7,
    taker: null,
    original: { requestedAtMs: noonMs, knownUntilMs: noonMs + windowMs },
  } satisfies DuplicateRequest)
})

/** Partition 1 of 2 owns `r-1`. */
function stageOf(partition: number): DedupStage {
  const stage = new DedupStage(windowMs)
  stage.context.partition = partition
  stage.context.partitions = 2
  return stage
}

test('a request in the wrong partition is sent to the right one with its first place and time', () => {
  const headers = [header('tenant', 'a'), header('origin.offset', 'forged')]

  const [only, ...more] = stageOf(0).read(emailRequested(), { offset: 5, headers })

  expect(more).toEqual([])
  expect(only?.to).toBe('misplaced')
  expect(only?.record.key).toBe('r-1')
  expect(only?.record.timestampMs).toBe(noonMs)
  expect(only?.record.raw?.valueBytes.toString()).toBe('bytes of the producer')
  expect(only?.record.headers.map(each => `${each.key}=${each.value?.toString()}`)).toEqual([
    'tenant=a',
    'origin.topic=email.requested',
    'origin.partition=0',
    'origin.offset=5',
    `origin.timestamp=${noonMs}`,
    'origin.reread=0',
  ])
})

test('a request in the wrong partition takes no identity there', () => {
  const stage = stageOf(0)
  stage.read(emailRequested())

  expect([...stage.context.entries(stage.store).keys()]).toEqual(['horizon'])
})

/** Passes a request through the partition it was written to and returns how it arrives at its own. */
function rerouted(offset: number, timestampMs = noonMs) {
  const record = stageOf(0).read(emailRequested(), { offset, timestampMs })[0]?.record
  return {
    topic: 'mailonce-requests-repartition',
    partition: 1,
    key: 'r-1',
    headers: record?.headers ?? [],
    timestampMs: noonMs + 50,
  }
}

test('a re-routed request is accepted as if it had been read where it first stood', () => {
  const record = stageOf(1).read(emailRequested(), { ...rerouted(5), offset: 77 })[0]?.record

  expect(headerText(record, 'origin.timestamp')).toBe(String(noonMs))
  expect(headerText(record, 'origin.partition')).toBe('0')
  expect(headerText(record, 'origin.offset')).toBe('5')
  expect(record?.timestampMs).toBe(noonMs)
})

test('a re-routed request is a repeat of one that came directly', () => {
  const stage = stageOf(1)
  stage.read(emailRequested())

  const repeat = stage.read(emailRequested({ callback }), { ...rerouted(0), offset: 0 })

  expect(answers(repeat)).toEqual(['duplicates'])
})

test('a request that is re-routed again after its partition was read again is the same record', () => {
  const stage = stageOf(1)
  stage.read(emailRequested({ callback }), { ...rerouted(5), offset: 77 })

  const again = stage.read(emailRequested({ callback }), { ...rerouted(5), offset: 78 })

  expect(answers(again)).toEqual([])
})

test('two partitions have offsets of their own', () => {
  const stage = stageOf(1)
  stage.read(emailRequested(), { offset: 5 })

  const repeat = stage.read(emailRequested({ callback }), { ...rerouted(5), offset: 77 })

  expect(answers(repeat)).toEqual(['duplicates'])
})

test('a re-routed request is too old by its first time', () => {
  const stage = stageOf(1)
  const headers = rerouted(5, noonMs - windowMs - 51)

  const answer = stage.read(emailRequested(), { ...headers, offset: 77 })

  expect(answers(answer)).toEqual(['refused TOO_OLD'])
})

test('headers of a producer that look like ours mean nothing', () => {
  const stage = new DedupStage(windowMs)
  const headers = [
    header('origin.partition', '0'),
    header('origin.offset', '0'),
    header('origin.timestamp', '1'),
  ]

  const answer = stage.read(emailRequested(), { headers })

  expect(answers(answer)).toEqual(['accepted'])
  expect(headerText(answer[0]?.record, 'origin.timestamp')).toBe(String(noonMs))
})

test('a re-routed request that has lost its first place is undecodable', () => {
  const read = () => stageOf(1).read(emailRequested(), { ...rerouted(5), offset: 77, headers: [] })

  expect(read).toThrow(expect.objectContaining({ code: 'RECORD_UNDECODABLE' }))
})

test('a re-routed request in the wrong partition again means partition counts that differ', () => {
  const read = () => stageOf(0).read(emailRequested(), { ...rerouted(5), offset: 77 })

  expect(read).toThrow(expect.objectContaining({ code: 'TOPIC_MISMATCH' }))
})

test('what happens is counted', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested())
  stage.read(emailRequested())
  stage.read(emailRequested(), { offset: 0 })
  stage.read(emailRequested({ subject: 'B' }))

  expect(Object.fromEntries(stage.context.counts)).toEqual({
    requests_accepted: 1,
    duplicates_suppressed: 1,
    rereads_suppressed: 1,
    requests_refused: 1,
  })
})
