import { beforeEach, describe, expect, test } from 'vitest'
import type { LogFields } from '../../src/log.ts'
import { silentLogger } from '../../src/log.ts'
import { MetricRegistry } from '../../src/metrics.ts'
import { seededRandom } from '../../src/random.ts'
import type { Relay } from '../../src/sinks/relay.ts'
import { RelayRouter } from '../../src/sinks/relay-router.ts'
import type { FailedAttempt, PreparedAttempt, SinkAttempt } from '../../src/sinks/sink.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { FakeRelay, relayOf } from './fake-relay.ts'
import { attemptOf, noSignal } from './mail-fixture.ts'

let clock: ManualClock
let warned: LogFields[]
let metrics: MetricRegistry
let a: FakeRelay
let b: FakeRelay

beforeEach(() => {
  clock = new ManualClock()
  warned = []
  metrics = new MetricRegistry()
  a = new FakeRelay('a:25')
  b = new FakeRelay('b:25')
})

const routerOf = (...relays: readonly Relay[]): RelayRouter =>
  new RelayRouter({
    relays,
    from: 'default@example.org',
    clock,
    random: seededRandom(1),
    log: { ...silentLogger, warn: fields => warned.push(fields) },
    metrics,
  })

type Change = Partial<Pick<SinkAttempt<MailRequest>, 'lastRelay' | 'onlyRelay'>>

const send = (
  router: RelayRouter,
  requestId: string,
  change: Change = {},
): Promise<PreparedAttempt | FailedAttempt> =>
  router.prepare({ ...attemptOf({ requestId }), ...change }, noSignal)

/** `a` is preferred: it alone has weight. */
const aBeforeB = (): RelayRouter => routerOf(relayOf(a), relayOf(b, { weight: 0 }))

describe('a relay that is out of reach', () => {
  test.each(['down', '421'] as const)('(%s) is replaced by the next before the dot', async mood => {
    a.mood = mood
    const router = aBeforeB()

    const result = await send(router, 'r-1')

    expect(result).toMatchObject({ kind: 'prepared', relay: 'b:25' })
    expect(a.identities).toEqual(b.identities)
  })

  test('is asked by nobody until its back-off is over, and then by one', async () => {
    a.mood = 'down'
    const router = aBeforeB()
    await send(router, 'r-1')
    await send(router, 'r-2')
    const early = a.asked.length

    clock.advance(650)
    a.mood = 'silent'
    const probe = send(router, 'r-3')
    await send(router, 'r-4')
    a.speak()
    await probe
    await send(router, 'r-5')

    expect(early).toBe(1)
    expect(a.identities).toEqual(['shop\0r-1', 'shop\0r-3', 'shop\0r-5'])
    expect(b.identities).toEqual(['shop\0r-1', 'shop\0r-2', 'shop\0r-4'])
  })

  test('is not thought to be back because of a try that met nobody', async () => {
    a.mood = 'down'
    const router = aBeforeB()
    await send(router, 'r-1')
    clock.advance(650)
    a.mood = 'unasked'
    await send(router, 'r-2')

    expect(metrics.render()).toContain('mailonce_relay_circuit{relay="a"} 2')
  })

  test('is shown in the log and among the metrics', async () => {
    a.mood = 'down'
    await send(aBeforeB(), 'r-1')

    expect(warned).toEqual([{ event: 'relay-circuit', relay: 'a', address: 'a:25', state: 'open' }])
    expect(metrics.render()).toContain('mailonce_relay_circuit{relay="a"} 2')
    expect(metrics.render()).toContain('mailonce_relay_circuit{relay="b"} 0')
    expect(metrics.render()).toContain(
      'mailonce_relay_tries_total{relay="a",result="unavailable"} 1',
    )
    expect(metrics.render()).toContain('mailonce_relay_in_flight{relay="b"} 1')
  })

  test('leaves mails that it alone may take waiting, and others go on', async () => {
    a.mood = 'down'
    const router = routerOf(relayOf(a, { senderDomains: new Set(['example.org']) }), relayOf(b))

    const own = await send(router, 'r-1')
    const other = await router.prepare(attemptOf({ from: 'x@else.example' }), noSignal)

    expect(own).toMatchObject({ kind: 'failed', reached: false, unavailable: false })
    expect((own as FailedAttempt).retryInMs).toBeGreaterThan(300)
    expect(other).toMatchObject({ kind: 'prepared', relay: 'b:25' })
  })
})

test('an answer of the relay itself is no reason to ask another', async () => {
  a.mood = 'greylists'
  const result = await send(aBeforeB(), 'r-1')

  expect(result).toMatchObject({ kind: 'failed', relay: 'a:25', unavailable: false })
  expect(result).toMatchObject({ deferred: [{ reply: '450 later' }] })
  expect(b.asked).toEqual([])
})

describe('when all relays are out of reach', () => {
  test('the sink is, until the first of them may be asked again', async () => {
    a.mood = 'down'
    b.mood = '421'
    const router = aBeforeB()

    await send(router, 'r-1')
    const result = await send(router, 'r-2')

    expect(result).toMatchObject({ kind: 'failed', reached: false, unavailable: true, refused: [] })
    const { retryInMs = 0 } = result as FailedAttempt
    expect(retryInMs).toBeGreaterThan(300)
    expect(retryInMs).toBeLessThan(650)
    expect([a.asked.length, b.asked.length]).toEqual([1, 1])
  })

  test('the first that is back takes all, and then both share again', async () => {
    a.mood = 'down'
    b.mood = 'down'
    const router = routerOf(relayOf(a), relayOf(b))
    await send(router, 'r-1')
    b.mood = 'takes'
    clock.advance(650)
    const results = [await send(router, 'r-2'), await send(router, 'r-3')]
    a.mood = 'takes'
    clock.advance(60_000)
    for (let index = 0; index < 20; index += 1) {
      const result = await send(router, `s-${index}`)
      if (result.kind === 'prepared') await result.perform(() => true)
    }

    expect(results).toMatchObject([{ relay: 'b:25' }, { relay: 'b:25' }])
    expect(a.identities.filter(each => each.includes('s-')).length).toBeGreaterThan(3)
    expect(b.identities.filter(each => each.includes('s-')).length).toBeGreaterThan(3)
  })
})

describe('a mail in doubt', () => {
  test('goes to its own relay, whoever is preferred', async () => {
    const result = await send(aBeforeB(), 'r-1', { onlyRelay: 'b:25' })

    expect(result).toMatchObject({ kind: 'prepared', relay: 'b:25' })
    expect(a.asked).toEqual([])
  })

  test.each(['down', '421'] as const)(
    'waits for its own relay (%s) and asks no other',
    async mood => {
      b.mood = mood
      const router = aBeforeB()

      const first = await send(router, 'r-1', { onlyRelay: 'b:25' })
      const second = await send(router, 'r-1', { onlyRelay: 'b:25' })

      expect(first).toMatchObject({ kind: 'failed', unavailable: false, relay: 'b:25' })
      expect(second).toMatchObject({ kind: 'failed', reached: false, unavailable: false })
      expect((second as FailedAttempt).retryInMs).toBeGreaterThan(300)
      expect(a.asked).toEqual([])
    },
  )

  test('of a relay that is configured no more waits, and says once what to do', async () => {
    const router = aBeforeB()

    const result = await send(router, 'r-1', { onlyRelay: 'gone:25' })
    await send(router, 'r-2', { onlyRelay: 'gone:25' })

    expect(result).toMatchObject({ kind: 'failed', reached: false, relay: 'gone:25' })
    expect((result as FailedAttempt).retryInMs).toBeGreaterThanOrEqual(30_000)
    expect(warned).toEqual([{ event: 'relay-unknown', relay: 'gone:25' }])
    expect([...a.asked, ...b.asked]).toEqual([])
  })
})

test('a mail in doubt that went to a former address of a relay goes to that one', async () => {
  const router = routerOf(relayOf(a), relayOf(b, { weight: 0, formerly: new Set(['old:25']) }))

  const result = await send(router, 'r-1', { onlyRelay: 'old:25' })

  expect(result).toMatchObject({ kind: 'prepared', relay: 'b:25' })
})

test('a relay without room keeps its mails: they wait, and the others’ go on', async () => {
  a.mood = 'silent'
  const router = routerOf(
    relayOf(a, { senderDomains: new Set(['example.org']) }),
    relayOf(b, { senderDomains: new Set() }),
  )
  const held = Array.from({ length: 4 }, (_, index) => send(router, `r-${index}`))

  const told: string[] = []
  router.rooms.onRoom(relay => told.push(relay))
  const more = await send(router, 'r-4')
  const other = await router.prepare(attemptOf({ from: 'x@else.example' }), noSignal)
  const rooms = [router.rooms.roomAt('a'), router.rooms.hasRoom]
  a.speak()
  const [first] = await Promise.all(held)
  const early = [...told]
  if (first?.kind === 'prepared') await first.perform(() => true)

  expect(more).toMatchObject({ kind: 'failed', reached: false, unavailable: false, noRoomAt: 'a' })
  expect(rooms).toEqual([0, true])
  expect([early, told]).toEqual([[], ['a']])
  expect(router.rooms.roomAt('a')).toBe(1)
  expect(a.asked).toHaveLength(4)
  expect(other).toMatchObject({ kind: 'prepared', relay: 'b:25' })
  expect(router.concurrencyMax).toBe(8)
})

test('every place that becomes free is told of, whether anybody has looked since the last or not', async () => {
  const router = routerOf(relayOf(a))
  const told: string[] = []
  router.rooms.onRoom(relay => told.push(relay))
  const held = [await send(router, 'r-1'), await send(router, 'r-2')]

  for (const each of held) if (each.kind === 'prepared') each.abandon()

  expect(told).toEqual(['a', 'a'])
})

test.each(['perform', 'abandon'] as const)('a place is free again after %s', async end => {
  const router = routerOf(relayOf(a))
  for (let index = 0; index < 6; index += 1) {
    const result = await send(router, `r-${index}`)
    if (result.kind !== 'prepared') throw new Error('no room')
    if (end === 'perform') await result.perform(() => true)
    else result.abandon()
  }

  expect(a.asked).toHaveLength(6)
  expect(router.concurrencyMax).toBe(2)
})

test('a dot without an answer keeps its place, whoever gives it up', async () => {
  const router = routerOf(relayOf(a))
  a.dotted = new Promise(() => undefined)
  const attempt = await send(router, 'r-1')
  if (attempt.kind !== 'prepared') throw new Error('no room')

  void attempt.perform(() => true)
  attempt.abandon()

  expect(router.rooms.roomAt('a')).toBe(1)
})

test('the relay never sees the tag', async () => {
  const router = routerOf(relayOf(a), relayOf(b, { tags: new Set(['bulk']) }))

  await router.prepare(
    attemptOf({ headers: { 'X-Mailonce-Tag': 'bulk', 'X-Other': '1' } }),
    noSignal,
  )

  expect(b.asked[0]?.request.headers).toEqual({ 'X-Other': '1' })
})

test('without a relay that takes all mails it does not start', () => {
  expect(() => routerOf(relayOf(a, { tags: new Set(['x']) }))).toThrow(
    /each has sender-domains or tags/,
  )
})

describe('a relay with a rate', () => {
  const limited = (): RelayRouter =>
    routerOf(relayOf(a, { perSecond: 2, tags: new Set(['slow']) }), relayOf(b))
  const slow = { headers: { 'X-Mailonce-Tag': 'slow' } }
  const sendSlow = (router: RelayRouter, requestId: string) =>
    router.prepare(attemptOf({ requestId, ...slow }), noSignal)

  test('is asked no more often, whoever goes elsewhere is not held up', async () => {
    const router = limited()

    const first = await sendSlow(router, 'r-1')
    const second = await sendSlow(router, 'r-2')
    const other = await send(router, 'r-3')
    clock.advance(500)
    const later = await sendSlow(router, 'r-2')

    expect(first.kind).toBe('prepared')
    expect(second).toMatchObject({ kind: 'failed', reached: false, noRoomAt: 'a' })
    expect(other).toMatchObject({ kind: 'prepared', relay: 'b:25' })
    expect(later.kind).toBe('prepared')
  })

  test('gets no more than its share from one of several instances', async () => {
    const router = limited()
    router.setShare(0.5)

    await sendSlow(router, 'r-1')
    clock.advance(500)
    const early = await sendSlow(router, 'r-2')
    clock.advance(500)
    const inTime = await sendSlow(router, 'r-2')

    expect([early.kind, inTime.kind]).toEqual(['failed', 'prepared'])
  })

  test('tells who waits when its rate allows one more', async () => {
    const router = limited()
    const told: number[] = []
    router.rooms.onRoom(() => told.push(clock.monotonicMs()))
    const beganMs = clock.monotonicMs()
    await sendSlow(router, 'r-1')
    await sendSlow(router, 'r-2')

    clock.advance(499)
    const early = told.length
    clock.advance(1)

    expect([early, told]).toEqual([0, [beganMs + 500]])
  })

  test('leaves no timer behind', async () => {
    const router = limited()
    let told = 0
    router.rooms.onRoom(() => (told += 1))
    await sendSlow(router, 'r-1')
    await sendSlow(router, 'r-2')

    await router.close()
    clock.advance(60_000)

    expect(told).toBe(0)
  })

  test('counts nobody who did not reach it', async () => {
    const router = limited()
    a.mood = 'unasked'
    await sendSlow(router, 'r-1')
    a.mood = 'takes'

    expect((await sendSlow(router, 'r-1')).kind).toBe('prepared')
  })
})
