import { expect, test } from 'vitest'
import { dedupPrefetch } from '../../src/email/dedup-processor.ts'
import { answers, DedupStage, type Reading } from '../support/dedup-stage.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const windowMs = 7 * dayMs
const callback = { context: { order: '7' }, url: null }

/** What a second request brings after a valid first one of noon. */
test.each<{
  rule: string
  request?: Parameters<typeof emailRequested>[0]
  reading?: Reading
  brings: string[]
}>([
  { rule: 'another request id is new', request: { requestId: 'r-2' }, brings: ['accepted'] },
  { rule: 'another source is another identity', request: { source: 'shop' }, brings: ['accepted'] },
  { rule: 'a repeat brings nothing', brings: [] },
  { rule: 'a repeat with a callback is reported', request: { callback }, brings: ['duplicates'] },
  {
    rule: 'times, priority and policy do not count',
    request: { requestedAt: noonMs + 5, priority: 'BULK', inDoubt: 'RESEND', expiresAt: noonMs },
    brings: [],
  },
  { rule: 'other content conflicts', request: { subject: 'B' }, brings: ['refused CONFLICT'] },
  {
    rule: 'a known identity is a duplicate however old the repeat is',
    request: { callback, requestedAt: noonMs - 30 * dayMs },
    brings: ['duplicates'],
  },
  {
    rule: 'a known identity conflicts however old the repeat is',
    request: { subject: 'B', requestedAt: noonMs - 30 * dayMs },
    brings: ['refused CONFLICT'],
  },
  {
    rule: 'a conflict is a conflict before it is invalid',
    request: { to: [] },
    brings: ['refused CONFLICT'],
  },
  {
    rule: 'an unknown identity that was requested before the window is too old',
    request: { requestId: 'r-2', requestedAt: noonMs - windowMs - 1 },
    brings: ['refused TOO_OLD'],
  },
  {
    rule: 'an unknown identity at the very end of the window is not too old',
    request: { requestId: 'r-2', requestedAt: noonMs - windowMs },
    brings: ['accepted'],
  },
  {
    rule: 'a record from before the window is too old whatever it says itself',
    request: { requestId: 'r-2' },
    reading: { timestampMs: noonMs - windowMs - 1 },
    brings: ['refused TOO_OLD'],
  },
  {
    rule: 'too old comes before invalid',
    request: { requestId: 'r-2', to: [], requestedAt: noonMs - windowMs - 1 },
    brings: ['refused TOO_OLD'],
  },
  {
    rule: 'an invalid request is refused',
    request: { requestId: '' },
    brings: ['refused INVALID'],
  },
  {
    rule: 'requestedAt may lie a day ahead of the record',
    request: { requestId: 'r-2', requestedAt: noonMs + dayMs },
    brings: ['accepted'],
  },
  {
    rule: 'requestedAt more than a day ahead of the record is invalid',
    request: { requestId: 'r-2', requestedAt: noonMs + dayMs + 1 },
    brings: ['refused INVALID'],
  },
])('$rule', ({ request, reading, brings }) => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested())

  const forwarded = stage.read(emailRequested(request), reading)

  expect(answers(forwarded)).toEqual(brings)
})

test('every conflicting record is reported, and the original is left as it was', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested())

  const first = stage.read(emailRequested({ subject: 'B' }))
  const second = stage.read(emailRequested({ subject: 'B' }))
  const original = stage.read(emailRequested({ callback }))

  expect(answers(first)).toEqual(['refused CONFLICT'])
  expect(answers(second)).toEqual(['refused CONFLICT'])
  expect(answers(original)).toEqual(['duplicates'])
})

test('an invalid request takes its identity', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested({ to: [] }))

  const repeat = stage.read(emailRequested({ to: [], callback }))
  const mended = stage.read(emailRequested())

  expect(answers(repeat)).toEqual(['duplicates'])
  expect(answers(mended)).toEqual(['refused CONFLICT'])
})

test('what is too old takes no identity', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested({ requestedAt: noonMs - windowMs - 1 }))

  const fresh = stage.read(emailRequested())

  expect(answers(fresh)).toEqual(['accepted'])
})

test.each([
  { what: 'the accepted request', request: {} },
  { what: 'an invalid request', request: { requestId: 'r-2', to: [] } },
  { what: 'a duplicate with a callback', request: { callback } },
  { what: 'a conflict', request: { subject: 'B' } },
])('$what that is read again brings nothing', ({ request }) => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested(), { offset: 0 })
  if (Object.keys(request).length > 0) stage.read(emailRequested(request), { offset: 1 })
  const offset = Object.keys(request).length > 0 ? 1 : 0

  const again = stage.restart().read(emailRequested(request), { offset })

  expect(answers(again)).toEqual([])
})

test('a whole partition that is read again brings nothing', () => {
  const requests = [{}, { callback }, { subject: 'B' }, { callback }, { subject: 'C' }, { to: [] }]
  const stage = new DedupStage(windowMs)
  requests.forEach((request, offset) => stage.read(emailRequested(request), { offset }))
  const restarted = stage.restart()

  const again = requests.map((request, offset) =>
    restarted.read(emailRequested(request), { offset, timestampMs: noonMs }),
  )

  expect(again.flat()).toEqual([])
})

test('a re-made topic counts its offsets from zero: later records below a known offset are repeats all the same', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested(), { offset: 1000 })

  const repeat = stage.read(emailRequested({ callback }), { offset: 3, timestampMs: noonMs + 1 })

  expect(answers(repeat)).toEqual(['duplicates'])
})

test('a broker whose clock went back does not make a record a repeat of itself', () => {
  const stage = new DedupStage(windowMs)
  const first = { offset: 5, timestampMs: noonMs + 100 }
  stage.read(emailRequested({ callback }), first)
  stage.read(emailRequested({ callback }), { offset: 9, timestampMs: noonMs + 90 })

  const again = stage.read(emailRequested({ callback }), first)

  expect(answers(again)).toEqual([])
})

test('the keys that a request needs are declared: the horizon and the identity', () => {
  const { store } = new DedupStage(windowMs)
  const record = { key: null, value: emailRequested(), timestampMs: noonMs, headers: [] }

  const keys = dedupPrefetch(store)(record).map(each => each.key)

  expect(keys).toEqual(['horizon', 'billing\0r-1'])
})
