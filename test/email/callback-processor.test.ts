import { describe, expect, test } from 'vitest'
import { outcomeEntrySerde } from '../../src/email/outcome-store.ts'
import { callbackPrefetch } from '../../src/email/callback-processor.ts'
import type { EmailCallback, EmailFailed } from '../../src/email/records.ts'
import type { StreamRecord } from '../../src/topology/topology.ts'
import {
  CallbackStage,
  callback,
  duplicateRequest,
  emailFailed,
  emailSent,
  keptMs,
  windowMs,
} from '../support/callback-stage.ts'
import { noonMs } from '../support/email-requests.ts'

const dayMs = 24 * 3_600_000

function lines(records: readonly StreamRecord<string, EmailCallback>[]): string[] {
  return records.map(({ value }) => `${value.sequence} ${value.outcome} ${value.detail}`)
}

test('a sent mail is reported with its Message-ID and the context of its request', () => {
  const [only, ...more] = new CallbackStage().read(emailSent())

  expect(more).toEqual([])
  expect(only?.key).toBe('r-1')
  expect(only?.timestampMs).toBe(noonMs + 10)
  expect(only?.value).toEqual({
    eventId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    requestId: 'r-1',
    source: 'billing',
    sequence: 1,
    outcome: 'SENT',
    detail: '250 2.0.0 queued',
    messageId: '<m@example.org>',
    context: { order: '7' },
    occurredAt: noonMs + 10,
  } satisfies EmailCallback)
})

test.each<{ reason: EmailFailed['reason']; line: string }>([
  { reason: 'INVALID', line: '1 FAILED INVALID: why' },
  { reason: 'CONFLICT', line: '1 FAILED CONFLICT: why' },
  { reason: 'TOO_OLD', line: '1 FAILED TOO_OLD: why' },
  { reason: 'EXPIRED', line: '1 FAILED EXPIRED: why' },
  { reason: 'REJECTED', line: '1 FAILED REJECTED: why' },
  { reason: 'RETRIES_EXHAUSTED', line: '1 FAILED RETRIES_EXHAUSTED: why' },
  { reason: 'CANCELLED', line: '1 FAILED CANCELLED: why' },
  { reason: 'IN_DOUBT', line: '1 IN_DOUBT why' },
])('the failure $reason is reported', ({ reason, line }) => {
  const reported = new CallbackStage().read(emailFailed({ reason, detail: 'why' }))

  expect(lines(reported)).toEqual([line])
})

test('who asked for no callback gets none, and is known to duplicates all the same', () => {
  const stage = new CallbackStage()

  const end = stage.read(emailSent({ callback: null }))
  const duplicate = stage.read(duplicateRequest())

  expect(end).toEqual([])
  expect(lines(duplicate)).toEqual(['1 DUPLICATE SENT'])
})

test.each<{
  end: ReturnType<typeof emailSent> | EmailFailed
  words: string
  messageId: string | null
}>([
  { end: emailSent(), words: 'SENT', messageId: '<m@example.org>' },
  { end: emailFailed({ reason: 'EXPIRED' }), words: 'FAILED EXPIRED', messageId: null },
  { end: emailFailed({ reason: 'INVALID' }), words: 'FAILED INVALID', messageId: null },
  {
    end: emailFailed({ reason: 'IN_DOUBT', messageId: '<d@example.org>' }),
    words: 'IN_DOUBT',
    messageId: '<d@example.org>',
  },
])('a duplicate is told $words, at once or when it is known', ({ end, words, messageId }) => {
  const after = new CallbackStage()
  after.read(end)
  const before = new CallbackStage()

  const atOnce = after.read(duplicateRequest())[0]
  const tooEarly = before.read(duplicateRequest())
  const [own, waited] = before.read(end)

  expect(tooEarly).toEqual([])
  expect(own?.value.sequence).toBe(1)
  for (const answer of [atOnce, waited]) {
    expect(answer?.value).toMatchObject({
      outcome: 'DUPLICATE',
      detail: words,
      messageId,
      sequence: 2,
      context: { order: 'again' },
      occurredAt: noonMs + 10,
    })
  }
  expect(waited?.value.eventId).toBe(atOnce?.value.eventId)
})

test('the sequence grows over all callbacks of a request, whatever they are about', () => {
  const stage = new CallbackStage()

  const reported = [
    ...stage.read(duplicateRequest({ offset: 101 })),
    ...stage.read(emailFailed({ reason: 'CONFLICT' })),
    ...stage.read(emailFailed({ reason: 'IN_DOUBT' })),
    ...stage.read(duplicateRequest({ offset: 102 })),
    ...stage.read(emailSent()),
    ...stage.read(duplicateRequest({ offset: 103 })),
    ...stage.read(emailFailed({ reason: 'TOO_OLD' })),
  ]

  expect(lines(reported)).toEqual([
    '1 FAILED CONFLICT: 550 5.1.1 nobody',
    '2 IN_DOUBT 550 5.1.1 nobody',
    '3 DUPLICATE IN_DOUBT',
    '4 DUPLICATE IN_DOUBT',
    '5 SENT 250 2.0.0 queued',
    '6 DUPLICATE SENT',
    '7 FAILED TOO_OLD: 550 5.1.1 nobody',
  ])
  expect(new Set(reported.map(each => each.value.eventId)).size).toBe(7)
})

test.each<{ reason: EmailFailed['reason'] }>([{ reason: 'CONFLICT' }, { reason: 'TOO_OLD' }])(
  '$reason concerns its own record and is no end of the original',
  ({ reason }) => {
    const stage = new CallbackStage()
    stage.read(emailFailed({ reason }))
    const early = stage.read(duplicateRequest())

    const end = stage.read(emailSent({ callback: null }))
    stage.read(emailFailed({ reason }))
    const late = stage.read(duplicateRequest({ offset: 200 }))

    expect(early).toEqual([])
    expect(lines(end)).toEqual(['2 DUPLICATE SENT'])
    expect(lines(late)).toEqual(['4 DUPLICATE SENT'])
  },
)

test('another source is another request', () => {
  const stage = new CallbackStage()
  stage.read(emailSent({ source: 'shop' }))

  expect(stage.read(duplicateRequest())).toEqual([])
  expect(lines(stage.read(emailSent()))).toEqual(['1 SENT 250 2.0.0 queued', '2 DUPLICATE SENT'])
})

test('a duplicate of a request that was made again after the window waits for the end of that one', () => {
  const stage = new CallbackStage()
  stage.read(emailSent({ callback: null }))
  const requestedAt = noonMs + windowMs + 1
  const original = { requestedAtMs: requestedAt, knownUntilMs: requestedAt + windowMs }

  const early = stage.read(duplicateRequest({ original, timestampMs: requestedAt + 1 }))
  const end = stage.read(emailFailed({ callback: null, requestedAt, failedAt: requestedAt + 2 }))

  expect(early).toEqual([])
  expect(lines(end)).toEqual(['1 DUPLICATE FAILED REJECTED'])
})

test('a duplicate of an original whose name was taken again since does not wait for an end that has passed', () => {
  const stage = new CallbackStage()
  stage.read(emailSent({ callback: null, requestedAt: noonMs + windowMs + 1 }))
  const original = { requestedAtMs: noonMs, knownUntilMs: noonMs + windowMs }

  const answer = stage.read(duplicateRequest({ original, timestampMs: noonMs + 1 }))

  expect(lines(answer)).toEqual(['1 DUPLICATE UNKNOWN: no longer known'])
})

test('of two requests that have the identity the later one ends first: its duplicates are told how', () => {
  const stage = new CallbackStage()
  const requestedAt = noonMs + dayMs
  const original = { requestedAtMs: requestedAt, knownUntilMs: requestedAt + windowMs }
  stage.read(emailFailed({ callback: null, requestedAt }))
  stage.read(emailSent({ callback: null }))

  const ofLater = stage.read(duplicateRequest({ original }))
  const ofEarlier = stage.read(duplicateRequest({ offset: 101 }))

  expect(lines(ofLater)).toEqual(['1 DUPLICATE FAILED REJECTED'])
  expect(lines(ofEarlier)).toEqual(['2 DUPLICATE SENT'])
})

test('when it was in doubt and is revised, what is told is the last word', () => {
  const stage = new CallbackStage()
  const requestedAt = noonMs + dayMs
  const original = { requestedAtMs: requestedAt, knownUntilMs: requestedAt + windowMs }
  stage.read(emailFailed({ callback: null, requestedAt, reason: 'IN_DOUBT' }))
  stage.read(emailSent({ callback: null }))
  stage.read(emailSent({ callback: null, requestedAt }))
  stage.read(emailSent({ callback: null }))

  expect(lines(stage.read(duplicateRequest({ original })))).toEqual(['1 DUPLICATE SENT'])
})

describe('a request that took the identity anew while the first was open', () => {
  const requestedAt = noonMs + windowMs + 1
  const original = { requestedAtMs: requestedAt, knownUntilMs: requestedAt + windowMs }
  const asked = { context: { order: 'first' }, url: null }
  const notice = (words: string | null, own: typeof asked | null = null) =>
    duplicateRequest({ callback: own, taker: { requestedAtMs: requestedAt, words } })

  test.each([
    { words: null, told: 'DUPLICATE SENT' },
    { words: 'FAILED CONFLICT', told: 'DUPLICATE FAILED CONFLICT' },
  ])('has no end of its own: its duplicates are told $told', ({ words, told }) => {
    const stage = new CallbackStage()
    stage.read(emailSent({ callback: null }))
    const early = stage.read(duplicateRequest({ original }))

    const atNotice = stage.read(notice(words))
    const late = stage.read(duplicateRequest({ original, offset: 101 }))

    expect(early).toEqual([])
    expect(lines(atNotice)).toEqual([`1 ${told}`])
    expect(lines(late)).toEqual([`2 ${told}`])
  })

  test('is told how the first ended, and so are its duplicates, when that is known', () => {
    const stage = new CallbackStage()

    const early = [
      ...stage.read(notice(null, asked)),
      ...stage.read(duplicateRequest({ original })),
    ]
    const end = stage.read(emailSent({ callback: null }))

    expect(early).toEqual([])
    expect(lines(end)).toEqual(['1 DUPLICATE SENT', '2 DUPLICATE SENT'])
  })

  test('does not speak for the first: whose duplicates are told its end', () => {
    const stage = new CallbackStage()
    stage.read(notice('FAILED CONFLICT'))
    stage.read(emailSent({ callback: null }))

    expect(lines(stage.read(duplicateRequest()))).toEqual(['1 DUPLICATE SENT'])
  })

  test('is remembered with the last few of its kind', () => {
    const stage = new CallbackStage()
    for (let count = 0; count < 100; count += 1)
      stage.read(duplicateRequest({ callback: null, taker: { requestedAtMs: count, words: null } }))
    const entry = outcomeEntrySerde.deserialize(
      stage.context.entries(stage.store).get('o|billing\0r-1')!,
    )

    expect(entry).toMatchObject({
      laterTakers: [96, 97, 98, 99].map(at => ({ requestedAtMs: at })),
    })
  })
})

test('the event id is the same on every replay and another for every cause', () => {
  const id = (offset: number) => new CallbackStage().read(emailSent(), { offset })[0]?.value.eventId

  expect(id(5)).toBe(id(5))
  expect(id(5)).not.toBe(id(6))
})

test('a callback carries the trace of its own record, also after it has waited', () => {
  const stage = new CallbackStage()
  const trace = (digit: string) => [
    { key: 'traceparent', value: Buffer.from(`00-${digit.repeat(32)}-${digit.repeat(16)}-01`) },
  ]
  stage.read(duplicateRequest(), { headers: trace('b') })

  const [own, waited] = stage.read(emailSent(), { headers: trace('a') })

  expect(own?.headers).toEqual(trace('a'))
  expect(waited?.headers).toEqual(trace('b'))
})

test('a record without a trace gets one', () => {
  const headers = new CallbackStage().read(emailSent())[0]?.headers

  expect(headers?.map(each => each.key)).toEqual(['traceparent'])
})

test('many may wait, in pages of bounded size, and none of them is left', () => {
  const stage = new CallbackStage()
  const context = { note: 'x'.repeat(5000) }
  for (let offset = 0; offset < 100; offset += 1) {
    stage.read(duplicateRequest({ offset, callback: { context, url: null } }))
  }
  const sizes = [...stage.context.entries(stage.store).values()].map(each => each.length)

  const reported = stage.read(emailSent({ callback: null }))

  expect(sizes.length).toBeGreaterThan(3)
  expect(Math.max(...sizes)).toBeLessThan(128 * 1024)
  expect(reported).toHaveLength(100)
  expect(reported.map(each => each.value.sequence)).toEqual(reported.map((_, index) => index + 1))
  expect([...stage.context.entries(stage.store).keys()]).toEqual(['o|billing\0r-1'])
  stage.context.sweep(stage.store, noonMs + 1000 * windowMs)
  expect(stage.context.entries(stage.store).size).toBe(0)
})

test('a duplicate whose original has been forgotten is answered all the same', () => {
  const stage = new CallbackStage()
  const timestampMs = noonMs + windowMs + keptMs

  const inTime = stage.read(duplicateRequest({ timestampMs }))
  const late = stage.read(duplicateRequest({ timestampMs: timestampMs + 1 }))

  expect(inTime).toEqual([])
  expect(lines(late)).toEqual(['1 DUPLICATE UNKNOWN: no longer known'])
})

test('more than ten thousand do not wait: they are answered at once', () => {
  const stage = new CallbackStage()
  const key = 'o|billing\0r-1'
  stage.read(duplicateRequest())
  const entry = stage.context.store(stage.store).get(key)
  if (entry?.kind !== 'outcome') throw new Error('no outcome')
  stage.context.store(stage.store).put(key, { ...entry, waiting: 10_000 })

  const refused = stage.read(duplicateRequest({ offset: 101 }))

  expect(lines(refused)).toEqual(['1 DUPLICATE UNKNOWN: too many duplicates wait for it'])
})

test.each([
  { what: 'an end', value: emailSent(), countedFromMs: noonMs + 10 },
  {
    what: 'the end of a request ahead of its time',
    value: emailSent({ requestedAt: noonMs + 5000 }),
    countedFromMs: noonMs + 5000,
  },
  {
    what: 'the end of a request years ahead',
    value: emailFailed({ reason: 'INVALID', requestedAt: noonMs + 1000 * dayMs }),
    countedFromMs: noonMs + 10 + dayMs,
  },
  {
    what: 'a record too old',
    value: emailFailed({ reason: 'TOO_OLD' }),
    countedFromMs: noonMs + 10 + dayMs,
  },
])('$what is remembered for as long as its identity and then some', ({ value, countedFromMs }) => {
  const stage = new CallbackStage()
  stage.read(value)

  stage.context.sweep(stage.store, countedFromMs + windowMs + keptMs - 1)
  const during = stage.context.entries(stage.store).size
  stage.context.sweep(stage.store, countedFromMs + windowMs + keptMs)

  expect(during).toBe(1)
  expect(stage.context.entries(stage.store).size).toBe(0)
})

test.each([
  { what: 'a duplicate that waits', value: duplicateRequest(), entries: 2 },
  {
    what: 'a conflict with an open request',
    value: emailFailed({ reason: 'CONFLICT' }),
    entries: 1,
  },
])('$what is remembered until the end', ({ value, entries }) => {
  const stage = new CallbackStage()
  stage.read(value)

  stage.context.sweep(stage.store, noonMs + 1000 * windowMs)

  expect(stage.context.entries(stage.store).size).toBe(entries)
})

test('a duplicate that waits for a second end is remembered after the first', () => {
  const stage = new CallbackStage()
  const requestedAt = noonMs + windowMs + 1
  const original = { requestedAtMs: requestedAt, knownUntilMs: requestedAt + windowMs }
  stage.read(emailSent())
  stage.read(duplicateRequest({ original }))

  stage.context.sweep(stage.store, noonMs + 1000 * windowMs)
  const end = stage.read(emailSent({ callback: null, requestedAt }))

  expect(lines(end)).toEqual(['2 DUPLICATE SENT'])
})

test('the key that a record needs is declared', () => {
  const { store } = new CallbackStage()
  const record = { key: 'r-1', value: emailSent({ callback }), timestampMs: 0, headers: [] }

  expect(callbackPrefetch(store)(record)).toEqual([{ store, key: 'o|billing\0r-1' }])
})

test('where mails that come back are looked for, so is what is known of the mail', () => {
  const { store } = new CallbackStage()
  const record = { key: 'r-1', value: emailSent({ callback }), timestampMs: 0, headers: [] }

  expect(callbackPrefetch(store, { suppress: 'hard', byMessageId: false })(record)).toEqual([
    { store, key: 'o|billing\0r-1' },
    { store, key: 'm|billing\0r-1' },
  ])
})
