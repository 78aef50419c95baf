import { beforeEach, expect, test } from 'vitest'
import type { Delivery } from '../../src/effects/delivery.ts'
import type { EffectPlan } from '../../src/effects/effect.ts'
import { OpenRequests } from '../../src/effects/open-requests.ts'
import { seededRandom } from '../../src/random.ts'
import { after, attemptAt, deliveryOf } from './delivery-fixture.ts'

let open: OpenRequests

beforeEach(() => {
  open = new OpenRequests()
})

const queued = (identity: string, plan: Partial<EffectPlan> = {}): Delivery =>
  deliveryOf({ identity, ...plan })

const waiting = (identity: string, dueMs: number, plan: Partial<EffectPlan> = {}): Delivery =>
  after(queued(identity, { ...plan, notBeforeMs: dueMs }), { kind: 'accepted', nowMs: 0 }).delivery

/** Takes the next one: it is being tried from then on. */
function take(): string | undefined {
  const identity = open.takeReady(() => 'begun')?.identity
  if (identity !== undefined) open.setStage(identity, 'flying')
  return identity
}

/** Takes all that is ready, in order. */
function takeAll(): string[] {
  const taken: string[] = []
  for (let next = take(); next !== undefined; next = take()) taken.push(next)
  return taken
}

test('a request is where its state says', () => {
  open.place(queued('q'))
  open.place(waiting('w', 50))
  open.place(after(queued('a'), attemptAt(0, 't-1')).delivery)

  expect(['q', 'w', 'a'].map(id => open.stage(id))).toEqual(['ready', 'timer', 'doubt'])
  expect(open.size).toBe(3)
  expect(open.count('doubt')).toBe(1)
  expect(open.readyCount).toBe(1)
})

test('first come, first served', () => {
  for (const id of ['a', 'b', 'c']) open.place(queued(id))

  expect(takeAll()).toEqual(['a', 'b', 'c'])
  expect(open.readyCount).toBe(0)
})

test('who expires first goes first, whoever came first', () => {
  for (const [id, expiresAtMs] of [
    ['never', null],
    ['late', 900],
    ['soon', 100],
    ['later', 2000],
  ] as const)
    open.place(queued(id, { expiresAtMs }))

  expect(takeAll()).toEqual(['soon', 'late', 'later', 'never'])
})

test('every fourth turn is for who came first: nobody is kept waiting by those that expire', () => {
  for (let index = 0; index < 3; index += 1) open.place(queued(`never-${index}`))
  for (let index = 0; index < 10; index += 1)
    open.place(queued(`soon-${index}`, { expiresAtMs: 100 + index }))

  const taken = takeAll()

  expect(taken.indexOf('never-0')).toBe(3)
  expect(taken.indexOf('never-1')).toBe(7)
  expect(taken.indexOf('never-2')).toBe(11)
})

test.each(Array.from({ length: 20 }, (_, index) => index + 1))(
  'seed %i: the order holds while requests come, end and go back in line',
  seed => {
    const random = seededRandom(seed)
    const line: { readonly id: string; readonly expiresAtMs: number | null }[] = []
    const wrong: string[] = []
    let turn = 0
    for (let step = 0; step < 400; step += 1) {
      const drawn = random.next()
      if (drawn < 0.45) {
        const expiresAtMs = random.next() < 0.5 ? null : Math.floor(random.next() * 50)
        const id = `r-${step}`
        open.place(queued(id, { expiresAtMs }))
        line.push({ id, expiresAtMs })
      } else if (drawn < 0.6 && line.length > 0) {
        const [gone] = line.splice(Math.floor(random.next() * line.length), 1)
        open.delete(gone!.id)
      } else {
        const taken = open.takeReady(() => 'begun')?.identity
        const earliest = Math.min(...line.map(each => each.expiresAtMs ?? Infinity))
        const expected =
          turn % 4 === 3 || earliest === Infinity
            ? line.slice(0, 1)
            : line.filter(each => each.expiresAtMs === earliest)
        const isRight =
          taken === undefined ? line.length === 0 : expected.some(each => each.id === taken)
        if (!isRight) wrong.push(`${taken} at step ${step}`)
        if (taken === undefined) continue
        // A source without anybody is forgotten, and its turns with it.
        turn = line.length === 1 ? 0 : turn + 1
        line.splice(
          line.findIndex(each => each.id === taken),
          1,
        )
        open.delete(taken)
      }
      if (line.length === 0) turn = 0
    }

    expect(wrong).toEqual([])
  },
)

test('the lower priority goes first, but every eighth turn is for the last', () => {
  for (let index = 0; index < 10; index += 1) open.place(queued(`high-${index}`, { priority: 0 }))
  for (let index = 0; index < 3; index += 1) open.place(queued(`bulk-${index}`, { priority: 2 }))

  const taken = takeAll()

  expect(taken[7]).toBe('bulk-0')
  expect(taken.slice(0, 7).every(each => each.startsWith('high'))).toBe(true)
  expect(taken.toSorted()).toHaveLength(13)
})

test('back in line is at its end; what has been deleted is stepped over', () => {
  for (const id of ['a', 'b', 'c']) open.place(queued(id))

  open.makeReady(take()!)
  open.delete('b')

  expect(takeAll()).toEqual(['c', 'a'])
})

test('a line of thousands stays in order while it is worked off', () => {
  const ids = Array.from({ length: 5000 }, (_, index) => `r-${index}`)
  for (const id of ids) open.place(queued(id))

  expect(takeAll()).toEqual(ids)
})

test('a waiting request becomes ready at its time, not before', () => {
  open.place(waiting('w', 50))

  open.wakeDue(49, 10)
  const early = open.readyCount
  open.wakeDue(50, 10)

  expect(early).toBe(0)
  expect(takeAll()).toEqual(['w'])
  expect(open.nextTimerMs).toBe(Infinity)
})

test('a timer that was set before the request changed does not count', () => {
  open.place(waiting('w', 50))
  open.place(waiting('w', 80))

  open.wakeDue(60, 10)

  expect(open.stage('w')).toBe('timer')
  expect(open.nextTimerMs).toBe(80)
})

test('an old timer of a request that is ready by now does not end it', () => {
  open.place(waiting('w', 50))
  open.place(queued('w'))

  expect(open.wakeDue(60, 10)).toEqual([])
  expect(open.stage('w')).toBe('ready')
})

test.each([
  { from: 'ready', delivery: queued('x', { expiresAtMs: 70 }) },
  { from: 'waiting until its expiry', delivery: waiting('x', 70, { expiresAtMs: 70 }) },
])('what expires without having had its turn is told: $from', ({ delivery }) => {
  open.place(delivery)

  expect(open.wakeDue(69, 10)).toEqual([])
  expect(open.wakeDue(70, 10)).toEqual(['x'])
})

test('what has become ready by its timer still expires', () => {
  open.place(waiting('x', 50, { expiresAtMs: 70 }))

  open.wakeDue(50, 10)

  expect(open.nextTimerMs).toBe(70)
  expect(open.wakeDue(70, 10)).toEqual(['x'])
})

test('what has come back to its line expires once, although its timer was set twice', () => {
  open.place(queued('x', { expiresAtMs: 70 }))
  take()
  open.place(queued('x', { expiresAtMs: 70 }))

  expect(open.wakeDue(70, 10)).toHaveLength(1)
})

test('a request that is being tried is left alone by its expiry', () => {
  open.place(queued('x', { expiresAtMs: 70 }))
  take()

  expect(open.wakeDue(70, 10)).toEqual([])
})

test('the bytes of 2000 ready requests are kept, of the others none; room comes back', () => {
  const ids = Array.from({ length: 2002 }, (_, index) => `r-${index}`)
  for (const id of ids) open.place(queued(id))
  const kept = (): number => ids.filter(id => open.delivery(id)).length

  const first = kept()
  for (let index = 0; index < 3; index += 1) take()
  open.place(queued('late'))

  expect(first).toBe(2000)
  expect(open.delivery('late')).toBeDefined()
})

test('waiting requests keep no bytes', () => {
  open.place(waiting('w', 50))

  expect(open.delivery('w')).toBeUndefined()
})

const large = (identity: string, plan: Partial<EffectPlan> = {}): Delivery => ({
  ...queued(identity, plan),
  payload: Buffer.alloc(1024 * 1024),
})

test('of large requests few bytes are kept, however few requests there are', () => {
  for (let index = 0; index < 10; index += 1) open.place(large(`r-${index}`))

  const kept = Array.from({ length: 10 }, (_, index) => open.delivery(`r-${index}`))
  expect(kept.filter(Boolean)).toHaveLength(4)
})

test('what has been taken makes room for the bytes of others', () => {
  for (let index = 0; index < 4; index += 1) open.place(large(`r-${index}`))
  takeAll()
  for (let index = 0; index < 4; index += 1) open.delete(`r-${index}`)

  open.place(large('next'))

  expect(open.delivery('next')).toBeDefined()
})

test('of large ones that expire together a few are handed out at a time', () => {
  for (let index = 0; index < 5; index += 1) open.place(large(`r-${index}`, { expiresAtMs: 10 }))

  const handed = [1, 2, 3].map(() => open.wakeDue(10, 64, 2 * 1024 * 1024).length)

  expect(handed).toEqual([2, 2, 1])
})

test('what was read because its turn had come goes first and keeps its bytes, however many there are', () => {
  for (let index = 0; index < 2003; index += 1) open.place(queued(`r-${index}`))
  open.setStage('r-2001', 'loading')
  open.setStage('r-2002', 'loading')

  open.makeNext('r-2002', queued('r-2002'))
  open.makeNext('r-2001', queued('r-2001'))

  expect(open.delivery('r-2001')).toBeDefined()
  expect(takeAll().slice(0, 3)).toEqual(['r-2001', 'r-2002', 'r-0'])
})

test('requests that ended leave no trace, however many there were', () => {
  for (let index = 0; index < 20_000; index += 1) {
    open.place(queued(`r-${index}`, { expiresAtMs: 1_000_000 + index }))
    if (index % 100 !== 0) open.delete(`r-${index}`)
  }

  expect([open.size, open.readyCount, open.count('ready')]).toEqual([200, 200, 200])
  expect(open.nextTimerMs).toBe(1_000_000)
  expect(open.wakeDue(2_000_000, 1000)).toHaveLength(200)
  expect(takeAll()).toEqual(Array.from({ length: 200 }, (_, index) => `r-${index * 100}`))
})

test('cleared, it is empty', () => {
  open.place(queued('a', { expiresAtMs: 5 }))

  open.clear()

  expect([open.size, open.readyCount, open.nextTimerMs]).toEqual([0, 0, Infinity])
  expect(take()).toBeUndefined()
})
