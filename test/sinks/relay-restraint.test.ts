import { beforeEach, describe, expect, test } from 'vitest'
import type { LogFields } from '../../src/log.ts'
import { silentLogger } from '../../src/log.ts'
import { MetricRegistry } from '../../src/metrics.ts'
import { seededRandom } from '../../src/random.ts'
import type { Relay } from '../../src/sinks/relay.ts'
import { RelayRouter } from '../../src/sinks/relay-router.ts'
import type { FailedAttempt, Outcome, PreparedAttempt } from '../../src/sinks/sink.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { FakeRelay, relayOf } from './fake-relay.ts'
import { attemptOf, noSignal } from './mail-fixture.ts'

let clock: ManualClock
let logged: LogFields[]
let metrics: MetricRegistry
let a: FakeRelay
let b: FakeRelay
let sent: number

beforeEach(() => {
  clock = new ManualClock()
  logged = []
  metrics = new MetricRegistry()
  a = new FakeRelay('a:25', 8)
  b = new FakeRelay('b:25', 8)
  sent = 0
})

const routerOf = (relays: readonly Relay[], isAdaptive = true): RelayRouter =>
  new RelayRouter({
    relays,
    from: 'default@example.org',
    clock,
    random: seededRandom(1),
    log: {
      ...silentLogger,
      warn: fields => logged.push(fields),
      info: fields => logged.push(fields),
    },
    metrics,
    isAdaptive,
  })

/** Each mail goes to another domain than the one before. */
const prepare = (
  router: RelayRouter,
  to = `x@d${(sent += 1)}.example`,
): Promise<PreparedAttempt | FailedAttempt> =>
  router.prepare(attemptOf({ requestId: `r-${sent}`, to: [to] }), noSignal)

/** A try that takes 100 ms; undefined where it finds no room. */
async function send(router: RelayRouter, to?: string): Promise<Outcome | FailedAttempt> {
  const result = await prepare(router, to)
  clock.advance(100)
  return result.kind === 'failed' ? result : result.perform(() => true)
}

async function sendMany(router: RelayRouter, count: number, to?: string): Promise<void> {
  for (let each = 0; each < count; each += 1) await send(router, to)
}

/** How many tries find room within the time, when somebody always asks again. */
async function taken(router: RelayRouter, withinMs: number): Promise<number> {
  const before = a.asked.length
  for (let atMs = 0; atMs < withinMs; atMs += 50) {
    const result = await prepare(router)
    if (result.kind === 'prepared') await result.perform(() => true)
    clock.advance(50)
  }
  return a.asked.length - before
}

const restrained = (): string[] =>
  logged.filter(each => /throttled/.test(String(each['event']))).map(each => String(each['event']))

/** Ten tries a second, of which one complains. */
async function complainOnce(router: RelayRouter): Promise<void> {
  await sendMany(router, 40)
  a.mood = 'throttles'
  for (let asked = a.asked.length; a.asked.length === asked;) await send(router)
  a.mood = 'takes'
}

describe.each([
  { relays: 'the only relay', make: () => [relayOf(a)] },
  { relays: 'one of several relays', make: () => [relayOf(a), relayOf(b, { weight: 0 })] },
])('$relays that asks for less', ({ make }) => {
  test('gets half of what it took, and says so', async () => {
    const router = routerOf(make())
    await complainOnce(router)

    const rate = (await taken(router, 10_000)) / 10

    expect(rate).toBeGreaterThan(3.5)
    expect(rate).toBeLessThan(7)
    expect(logged).toMatchObject([{ event: 'throttled', relay: 'a', reply: 'throttles' }])
    expect(metrics.render()).toMatch(/mailonce_relay_per_second_max\{relay="a"\} [456]/)
    expect(metrics.render()).toContain('mailonce_relay_in_flight_max{relay="a"} 1')
  })

  test('gets all again after a time without complaint', async () => {
    const router = routerOf(make())
    await complainOnce(router)

    await taken(router, 240_000)

    expect(restrained()).toEqual(['throttled', 'unthrottled'])
    expect(metrics.render()).toContain('mailonce_relay_per_second_max{relay="a"} +Inf')
  })
})

test('a try that hangs after its dot holds up the others for 10 s, not for 10 minutes', async () => {
  const router = routerOf([relayOf(a)])
  await sendMany(router, 20)
  a.mood = '421'
  await send(router)
  a.mood = 'takes'
  clock.advance(60_000)
  const hanging = await prepare(router)
  a.dotted = new Promise(() => undefined)
  if (hanging.kind === 'prepared') void hanging.perform(() => true)
  a.dotted = Promise.resolve()
  const told: number[] = []
  router.rooms.onRoom(() => told.push(clock.monotonicMs()))
  const beganMs = clock.monotonicMs()

  clock.advance(5000)
  const early = router.rooms.roomAt('a')
  clock.advance(5000)

  expect(hanging.kind).toBe('prepared')
  expect([early, router.rooms.roomAt('a')]).toEqual([0, 1])
  expect(told).toEqual([beganMs + 10_000])
})

test('that a dot hangs is told of, whether anybody has looked since it was written or not', async () => {
  const router = routerOf([relayOf(a)])
  await sendMany(router, 20)
  a.mood = '421'
  await send(router)
  a.mood = 'takes'
  clock.advance(60_000)
  const hanging = await prepare(router)
  clock.advance(1000)
  const before = router.rooms.roomAt('a')
  const told: number[] = []
  router.rooms.onRoom(() => told.push(clock.monotonicMs()))
  const dottedMs = clock.monotonicMs()

  a.dotted = new Promise(() => undefined)
  if (hanging.kind === 'prepared') void hanging.perform(() => true)
  clock.advance(10_000)

  expect([before, router.rooms.roomAt('a')]).toEqual([0, 1])
  expect(told).toEqual([dottedMs + 10_000])
})

/** Dots that are never answered, so many milliseconds apart. */
async function hang(router: RelayRouter, count: number, apartMs: number): Promise<void> {
  a.dotted = new Promise(() => undefined)
  for (let each = 0; each < count; each += 1) {
    const prepared = await prepare(router)
    if (prepared.kind === 'prepared') void prepared.perform(() => true)
    clock.advance(apartMs)
  }
}

test('each of several dots that hang is told of, at whatever fraction of a millisecond', async () => {
  const router = routerOf([relayOf(a)])
  const held = await Promise.all([1, 2, 3, 4, 5].map(() => prepare(router)))
  a.mood = 'throttles'
  await send(router)
  a.mood = 'takes'
  for (const each of held) if (each.kind === 'prepared') each.abandon()
  clock.advance(5000.1)
  const beganMs = clock.monotonicMs()
  await hang(router, 3, 1000.7)
  const before = router.rooms.roomAt('a')
  clock.advance(1000)
  const told: number[] = []
  router.rooms.onRoom(() => {
    expect(router.rooms.roomAt('a')).toBe(1)
    told.push(Math.floor(clock.monotonicMs() - beganMs))
  })

  clock.advance(10_000)

  expect([before, told]).toEqual([0, [10_000, 11_001, 12_001]])
})

test('dots that hang are told of, also where it asked for less after they were written', async () => {
  const router = routerOf([relayOf(a)])
  await hang(router, 3, 0)
  const told: number[] = []
  router.rooms.onRoom(() => told.push(router.rooms.roomAt('a')))

  a.mood = 'throttles'
  await send(router)
  clock.advance(10_000)

  expect(told).toEqual([0, 1])
})

test('that its rate allows one more is told of in time, whatever may come to hang later', async () => {
  const router = routerOf([relayOf(a)])
  await complainOnce(router)
  clock.advance(1000)
  const dotted = await prepare(router)
  a.dotted = new Promise(() => undefined)
  if (dotted.kind === 'prepared') void dotted.perform(() => true)
  const told: number[] = []
  router.rooms.onRoom(() => told.push(clock.monotonicMs()))
  const beganMs = clock.monotonicMs()

  router.rooms.roomAt('a')
  clock.advance(1000)

  expect(told).toHaveLength(1)
  expect(told[0]! - beganMs).toBeLessThan(300)
})

test('that it gets more again is told of, whoever holds its places', async () => {
  const router = routerOf([relayOf(a)])
  await complainOnce(router)
  const told: number[] = []
  clock.advance(1000)
  const last = await prepare(router)
  clock.advance(100)
  router.rooms.onRoom(() => told.push(a.asked.length))
  router.rooms.roomAt('a')

  if (last.kind === 'prepared') await last.perform(() => true)

  expect(last.kind).toBe('prepared')
  expect(told).toHaveLength(2)
})

test('the others get no less', async () => {
  const router = routerOf([relayOf(a), relayOf(b, { weight: 0 })])
  await complainOnce(router)

  expect(metrics.render()).toContain('mailonce_relay_per_second_max{relay="b"} +Inf')
  expect(router.rooms.roomAt('b')).toBe(16)
})

test('however often it complains, something is tried, and one at a time', async () => {
  const router = routerOf([relayOf(a)])
  await sendMany(router, 20)
  a.mood = 'throttles'

  const tried = await taken(router, 300_000)

  expect(tried).toBeGreaterThan(25)
  expect(metrics.render()).toContain('mailonce_relay_in_flight_max{relay="a"} 1')
})

test('it never gets more than is configured', async () => {
  const router = routerOf([relayOf(a, { perSecond: 4 })])
  await complainOnce(router)

  const rate = (await taken(router, 200_000)) / 200

  expect(restrained()).toEqual(['throttled', 'unthrottled'])
  expect(rate).toBeLessThanOrEqual(4.1)
})

test('what it gets is shared like what is configured', async () => {
  const router = routerOf([relayOf(a)])
  router.setShare(0.5)
  await complainOnce(router)
  const half = Number(/per_second_max\{relay="a"\} (\S+)/.exec(metrics.render())?.[1])

  router.setShare(0.25)

  const quarter = Number(/per_second_max\{relay="a"\} (\S+)/.exec(metrics.render())?.[1])
  expect(half).toBeGreaterThan(3)
  expect(quarter).toBeCloseTo(half / 2)
})

test('an instance with a small share tries one in ten seconds all the same', async () => {
  const router = routerOf([relayOf(a)])
  router.setShare(0.01)
  await complainOnce(router)
  a.mood = 'throttles'
  await taken(router, 120_000)

  expect(metrics.render()).toContain('mailonce_relay_per_second_max{relay="a"} 0.1')
})

test('what its probes are told says nothing more', async () => {
  const router = routerOf([relayOf(a)])
  await sendMany(router, 20)
  a.mood = '421'
  for (let probes = 0; probes < 5; probes += 1) {
    await send(router)
    clock.advance(60_000)
  }

  expect(restrained()).toEqual(['throttled'])
})

test('with `adaptive: false` nobody gets less', async () => {
  const router = routerOf([relayOf(a)], false)
  await complainOnce(router)

  expect(restrained()).toEqual([])
})

describe('a complaint that may be about one domain alone', () => {
  const later = { kind: 'deferred', reply: '450 rate limit', asksForLess: 'certain' } as const

  test.each([
    { where: 'to RCPT', complain: () => void (a.late = later) },
    { where: 'to the dot', complain: () => void (a.dot = later) },
  ])('$where counts for the relay when half of its answers are such', async ({ complain }) => {
    const router = routerOf([relayOf(a)])
    await sendMany(router, 20)
    complain()
    await sendMany(router, 10)
    const early = restrained()
    await sendMany(router, 1)

    expect([early, restrained()]).toEqual([[], ['throttled']])
  })

  test.each([
    { where: 'to RCPT', complain: () => void (a.late = later) },
    { where: 'to the dot', complain: () => void (a.dot = later) },
  ])(
    '$where says nothing about the relay while one domain alone complains',
    async ({ complain }) => {
      const router = routerOf([relayOf(a)])
      complain()

      await sendMany(router, 100, 'x@full.example')

      expect(restrained()).toEqual([])
    },
  )

  test('says nothing now and then', async () => {
    const router = routerOf([relayOf(a)])
    for (let rounds = 0; rounds < 40; rounds += 1) {
      a.dot = later
      await send(router)
      a.dot = { kind: 'done', reply: '250 ok' }
      await sendMany(router, 2)
    }

    expect(restrained()).toEqual([])
  })
})

describe('a relay that closes with 421 after the dot', () => {
  const closing: Outcome = {
    kind: 'deferred',
    reply: '421 too many messages',
    unavailable: true,
    asksForLess: 'certain',
  }

  test('is out of reach and gets less, and the mail itself is put off', async () => {
    const router = routerOf([relayOf(a)])
    await sendMany(router, 20)
    a.dot = closing

    const outcome = await send(router)

    expect(outcome).toMatchObject(closing)
    expect((outcome as Outcome).retryInMs).toBeGreaterThan(300)
    expect(metrics.render()).toContain('mailonce_relay_circuit{relay="a"} 2')
    expect(restrained()).toEqual(['throttled'])
    expect(await prepare(router)).toMatchObject({ kind: 'failed', unavailable: true })
  })

  test('is replaced by another for the mails that follow: the sink as a whole is in reach', async () => {
    const router = routerOf([relayOf(a), relayOf(b, { weight: 0 })])
    a.dot = closing

    const outcome = await send(router)

    expect(outcome).toMatchObject({ unavailable: true, retryInMs: 0 })
    expect(await prepare(router)).toMatchObject({ kind: 'prepared', relay: 'b:25' })
  })
})
