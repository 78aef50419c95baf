import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { answers, DedupStage } from '../support/dedup-stage.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const windowMs = 7 * dayMs
const other = emailRequested({ requestId: 'other', requestedAt: noonMs + 100 * dayMs })

test.each([
  { rule: 'at the end of the window it is known', afterMs: windowMs, brings: [] },
  { rule: 'after the window it is new', afterMs: windowMs + 1, brings: ['accepted'] },
])('a request that is made again: $rule', ({ afterMs, brings }) => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested())
  const timestampMs = noonMs + afterMs

  const again = stage.read(emailRequested({ requestedAt: timestampMs }), { timestampMs })

  expect(answers(again)).toEqual(brings)
})

test('the window counts from requestedAt where that is later', () => {
  const stage = new DedupStage(windowMs)
  const request = emailRequested({ requestedAt: noonMs + dayMs })
  stage.read(request)

  const inside = stage.read(request, { timestampMs: noonMs + windowMs + dayMs })
  const outside = stage.read(request, { timestampMs: noonMs + windowMs + dayMs + 1 })

  expect(answers(inside)).toEqual([])
  expect(answers(outside)).toEqual(['refused TOO_OLD'])
})

test.each([
  { when: 'in the same life', restart: false },
  { when: 'in another life, which has seen no time pass yet', restart: true },
])(
  'a copy that is read again after its identity was forgotten is too old: $when',
  ({ restart }) => {
    const stage = new DedupStage(windowMs)
    stage.read(emailRequested(), { offset: 0 })
    stage.read(other, { timestampMs: noonMs + windowMs + 1 })
    stage.sweep()

    const later = restart ? stage.restart() : stage
    const again = later.read(emailRequested(), { offset: 0 })

    expect(answers(again)).toEqual(['refused TOO_OLD'])
  },
)

test.each([
  { what: 'a repeat', again: { requestedAt: noonMs + dayMs }, first: [] },
  {
    what: 'a contradiction',
    again: { subject: 'B', requestedAt: noonMs + dayMs },
    first: ['refused CONFLICT'],
  },
])(
  '$what that is read again while only its original is forgotten takes no identity',
  ({ again, first }) => {
    const stage = new DedupStage(windowMs)
    stage.read(emailRequested(), { offset: 0 })
    const place = { offset: 1, timestampMs: noonMs + dayMs }
    const before = stage.read(emailRequested(again), place)
    stage.read(other, { timestampMs: noonMs + windowMs + 1 })
    stage.sweep()

    const after = stage.restart().read(emailRequested(again), { ...place, isReread: true })

    expect([answers(before), answers(after)]).toEqual([first, []])
  },
)

test('what is read again is no contradiction of who has taken its identity since', () => {
  const stage = new DedupStage(windowMs)
  const early = { partition: 1, offset: 0, timestampMs: noonMs + 1 }
  stage.read(emailRequested(), { offset: 0 })
  stage.read(emailRequested({ subject: 'B' }), early)
  const lateMs = noonMs + windowMs + 1
  stage.read(emailRequested({ subject: 'C', requestedAt: lateMs }), { timestampMs: lateMs })

  const again = stage.read(emailRequested({ subject: 'B' }), { ...early, isReread: true })

  expect(answers(again)).toEqual([])
})

test('a repeat that is read again in the wrong partition is known for one where it belongs', () => {
  const stage = new DedupStage(windowMs)
  stage.context.partitions = 2
  stage.context.partition = 0 // murmur2('r-1') is odd
  const [moved] = stage.read(emailRequested(), { offset: 3, isReread: true })
  const owner = new DedupStage(windowMs)

  const reading = { topic: 'requests-repartition', headers: moved!.record.headers }
  const again = owner.read(emailRequested(), { ...reading, offset: 9 })
  const claimed = owner.read(emailRequested(), { headers: moved!.record.headers })

  expect([answers(again), answers(claimed)]).toEqual([[], ['accepted']])
})

test('what a producer says of reading again means nothing, in the wrong partition either', () => {
  const headers = [{ key: 'origin.reread', value: Buffer.from('1') }]
  const stage = new DedupStage(windowMs)
  stage.context.partitions = 2
  stage.context.partition = 0 // murmur2('r-1') is odd
  const [moved] = stage.read(emailRequested(), { headers })

  const brought = new DedupStage(windowMs).read(emailRequested(), {
    topic: 'requests-repartition',
    headers: moved!.record.headers,
  })

  expect(answers(brought)).toEqual(['accepted'])
})

test('a longer window brings nothing back that a shorter one has forgotten', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested(), { offset: 0 })
  stage.read(other, { timestampMs: noonMs + windowMs + 1 })
  stage.sweep()

  const again = stage.restart(4 * windowMs).read(emailRequested(), { offset: 0 })

  expect(answers(again)).toEqual(['refused TOO_OLD'])
})

test('a request that was re-routed away moves the time of the task that read it', () => {
  const stage = new DedupStage(windowMs)
  stage.context.partitions = 2
  stage.context.partition = 0 // murmur2('r-1') is odd, murmur2('other') even
  stage.read(emailRequested({ requestId: 'other' }), { offset: 0 })
  stage.read(emailRequested(), { timestampMs: noonMs + windowMs + 1 })
  stage.sweep()
  const restarted = stage.restart()
  restarted.context.partitions = 2

  const again = restarted.read(emailRequested({ requestId: 'other' }), { offset: 0 })

  expect(answers(again)).toEqual(['refused TOO_OLD'])
})

test('an identity taken with a requestedAt in the far future is not kept for years', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested({ requestedAt: noonMs * 1000 }))

  stage.context.sweep(stage.store, noonMs + windowMs + dayMs + 1)

  expect([...stage.context.entries(stage.store).keys()]).toEqual(['horizon'])
})

test('the store remembers at least as long as the reader asks', () => {
  const stage = new DedupStage(windowMs)
  stage.read(emailRequested({ requestedAt: noonMs + dayMs }))

  stage.context.sweep(stage.store, noonMs + dayMs + windowMs)

  expect(stage.context.entries(stage.store).size).toBe(2)
  expect(stage.store.changelogConfigs['retention.ms']).toBe(String(2 * windowMs))
})

test('a short window does not let the changelog forget what a requestedAt ahead keeps alive', () => {
  const { store } = new DedupStage(5000)

  expect(store.changelogConfigs).toEqual({
    'cleanup.policy': 'compact,delete',
    'retention.ms': String(dayMs + 5000),
  })
})

// Any mix of new requests, copies, repeats of the whole log, sweeps and restarts, with windows that change.
test.each(Array.from({ length: 50 }, (_, seed) => seed))(
  'seed %i: no copy of an accepted request looks new, whatever is read again',
  seed => {
    const random = seededRandom(seed)
    const below = (limit: number): number => Math.floor(random.next() * limit)
    const log: { requestId: string; requestedAt: number; timestampMs: number; offset: number }[] =
      []
    const accepted = new Set<string>()
    let stage = new DedupStage(windowMs)
    let timeMs = noonMs

    for (let step = 0; step < 400; step += 1) {
      const dice = below(10)
      if (dice === 0) stage = stage.restart(windowMs * (1 + below(3)))
      if (dice === 1) stage.sweep()
      timeMs += below(2 * dayMs)
      const old = log[below(log.length + 1)]
      const requestedAt =
        old !== undefined && dice > 4 ? old.requestedAt : timeMs + below(3 * dayMs) - 2 * dayMs
      const fresh = {
        requestId: old !== undefined && dice > 4 ? old.requestId : `r-${below(20)}`,
        requestedAt,
        timestampMs: timeMs,
        offset: log.length,
      }
      const entry = old !== undefined && dice > 6 ? old : fresh
      if (entry === fresh) log.push(fresh)

      const { requestId, timestampMs, offset } = entry
      const brought = stage.read(emailRequested({ requestId, requestedAt: entry.requestedAt }), {
        offset,
        timestampMs,
      })

      if (!answers(brought).includes('accepted')) continue
      const copy = `${requestId} ${entry.requestedAt}`
      expect(accepted.has(copy), `${copy} was accepted twice`).toBe(false)
      accepted.add(copy)
    }
    expect(accepted.size).toBeGreaterThan(5)
  },
)
