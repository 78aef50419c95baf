import { expect, test } from 'vitest'
import type { TrafficLimits } from '../../src/effects/traffic.ts'
import { utf8Serde } from '../../src/serde.ts'
import { EngineWorld, settle } from './engine-world.ts'
import { trafficOf } from './traffic-world.ts'

const begin = (limits: Partial<TrafficLimits>, concurrencyMax = 4): Promise<EngineWorld> =>
  EngineWorld.begin(utf8Serde, concurrencyMax, { traffic: trafficOf(limits) })

async function acceptMany(
  world: EngineWorld,
  count: number,
  prefix: string,
  target: string,
): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await world.accept({ identity: `${prefix}${index}`, targets: [target], priority: 1 })
}

const complaint = { target: 'x@a', reply: '450 not so many', asksForLess: 'certain' } as const

const triedOf = (world: EngineWorld): string[] => world.sink.tries.map(each => each.identity)

test('a slow recipient domain holds up no other', async () => {
  const world = await begin({ destinations: new Map([['slow', { connections: 1 }]]) })
  await acceptMany(world, 10, 's/slow-', 'x@slow')
  await acceptMany(world, 2, 's/quick-', 'x@quick')

  await world.turn()

  expect(triedOf(world)).toEqual(['s/slow-0', 's/quick-0', 's/quick-1'])
})

test('a hot source holds up no other', async () => {
  const world = await begin({})
  await acceptMany(world, 10, 'hot/', 'x@a')
  await acceptMany(world, 2, 'mild/', 'x@b')

  await world.turn()

  expect(triedOf(world).toSorted()).toEqual(['hot/0', 'hot/1', 'mild/0', 'mild/1'])
})

test('what was held back is tried when room comes back, whatever ended the try before it', async () => {
  const world = await begin({ destination: { connections: 1 } })
  await acceptMany(world, 5, 's/', 'x@a')
  await world.turn()

  world.sink.of('s/0').fail()
  await world.turn()
  await world.turn()
  world.sink.of('s/1').hold()
  await settle()
  world.sink.of('s/1').lose('gone')
  await world.turn()
  await world.turn()
  await world.command({
    kind: 'cancel',
    identity: 's/2',
    decision: { kind: 'cancel', by: 'ann', why: '', atMs: 0 },
  })
  await world.turn()
  await world.turn()

  expect(triedOf(world)).toEqual(['s/0', 's/1', 's/2', 's/3'])
})

test('room of a request that is refused by ourselves is for the next', async () => {
  const world = await begin({ destination: { connections: 1 } })
  await acceptMany(world, 1, 's/', 'x@a')
  await acceptMany(world, 1, 't/', 'bad@a')
  await acceptMany(world, 1, 'u/', 'x@a')
  await world.turn()
  world.refused.add('bad@a')

  world.sink.of('s/0').fail()
  for (let turns = 0; turns < 3; turns += 1) await world.turn()

  expect(triedOf(world)).toEqual(['s/0', 'u/0'])
})

test('a domain that asks for less gets less, and others notice nothing', async () => {
  const world = await begin({})
  await acceptMany(world, 40, 's/', 'x@a')
  await acceptMany(world, 2, 't/', 'x@b')
  await world.turn()
  world.sink.of('s/0').fail({ deferred: [complaint] })
  for (const each of ['s/1', 't/0', 't/1']) world.sink.of(each).fail()
  await world.turn()
  await world.turn()

  const throttled = [...world.slots.throttled.keys()]
  const tried = world.sink.tries.length
  world.clock.advance(100)
  await world.turn()

  expect(throttled).toEqual(['destination a'])
  expect(world.sink.tries).toHaveLength(tried)
  expect(triedOf(world).filter(each => each.startsWith('t/'))).toHaveLength(2)
})

test.each([
  { about: 'the mail', unavailable: false, throttled: ['destination a'] },
  { about: 'the other side as a whole', unavailable: true, throttled: [] },
])(
  'a complaint in reply to the last step about $about throttles $throttled',
  async ({ unavailable, throttled }) => {
    const world = await begin({})
    await acceptMany(world, 1, 's/', 'x@a')
    await world.turn()
    world.sink.of('s/0').hold()
    await world.turn()
    await world.commit()

    world.sink
      .of('s/0')
      .answer({ kind: 'deferred', reply: 'no', unavailable, asksForLess: 'certain' })
    await world.turn()

    expect([...world.slots.throttled.keys()]).toEqual(throttled)
  },
)

test.each([
  { rule: 'now and then says nothing', every: 5, throttled: [] },
  { rule: 'from all of a domain means less', every: 1, throttled: ['destination a'] },
])('a reply that may be about one mail alone $rule', async ({ every, throttled }) => {
  const world = await begin({})
  await acceptMany(world, 60, 's/', 'x@a')

  let answered = 0
  for (let rounds = 0; rounds < 10; rounds += 1) {
    await world.turn()
    for (const each of world.sink.tries.splice(0)) {
      answered += 1
      if (answered % every === 0) each.fail({ deferred: [{ ...complaint, asksForLess: 'likely' }] })
      else {
        each.hold()
        await world.turn()
        await world.commit()
        each.reply('done')
      }
    }
    await world.turn()
  }

  expect([...world.slots.throttled.keys()]).toEqual(throttled)
})

test.each([
  { rule: 'keeps everybody away', retryInMs: undefined, tried: [1, 2] },
  { rule: 'keeps everybody away for as long as the sink says', retryInMs: 400, tried: [1, 2] },
  { rule: 'keeps nobody away where others are in reach', retryInMs: 0, tried: [4, 4] },
])(
  'another side that closes instead of taking the last step $rule',
  async ({ retryInMs, tried }) => {
    const world = await begin({})
    await acceptMany(world, 1, 's/', 'x@a')
    await world.turn()
    world.sink.of('s/0').hold()
    await world.turn()
    await world.commit()

    const outcome = { kind: 'deferred', reply: '421 no', unavailable: true } as const
    world.sink.of('s/0').answer(retryInMs === undefined ? outcome : { ...outcome, retryInMs })
    await world.turn()
    await acceptMany(world, 3, 't/', 'x@a')
    await world.turn()
    const early = world.sink.tries.length
    world.clock.advance(650)
    await world.turn()

    expect([early, world.sink.tries.length]).toEqual(tried)
  },
)

test('what has passed its gate waits for no limit', async () => {
  const world = await begin({ destination: { perSecond: 0.01 } })
  await acceptMany(world, 2, 's/', 'x@a')
  await world.turn()
  world.sink.of('s/0').hold()
  await world.turn()

  await world.commit()

  expect(world.sink.dots('s/0')).toBe(1)
})

test('a try for which nobody could be asked uses up no rate', async () => {
  const world = await begin({ destination: { perSecond: 1 } })
  await acceptMany(world, 2, 's/', 'x@a')
  await world.turn()

  world.sink.of('s/0').fail({ reached: false, retryInMs: 60_000 })
  await world.turn()
  await world.turn()

  expect(triedOf(world)).toEqual(['s/0', 's/1'])
})

test('a failed cycle gives all room back', async () => {
  const world = await begin({ destination: { connections: 1 } })
  await acceptMany(world, 3, 's/', 'x@a')
  await world.commit()
  await world.turn()

  await world.fail()
  await world.turn()
  await world.turn()

  expect(triedOf(world)).toEqual(['s/0', 's/0'])
  expect(world.slots.used).toBe(1)
})

test('of more requests than memory keeps, what is held back is tried in the end', async () => {
  const world = await begin({ destination: { connections: 2 } }, 50)
  for (let index = 0; index < 2100; index += 1)
    await world.accept({ identity: `s/${index}`, targets: [`x@d${index % 7}`], priority: 1 })
  await world.commit()

  for (let steps = 0; steps < 600 && world.committed.length < 2100; steps += 1) {
    await world.turn()
    for (const each of world.sink.tries.filter(({ state }) => state === 'preparing')) each.hold()
    await world.turn()
    await world.commit()
    for (const each of world.sink.tries.filter(({ state }) => state === 'dotted'))
      each.reply('done')
  }

  expect(new Set(world.committed).size).toBe(2100)
})

test('the open requests of an instance are counted over restarts, and given back by a task that leaves', async () => {
  const outbox = { requests: 20, bytes: 1_000_000 }
  const world = await EngineWorld.begin(utf8Serde, 2, { outbox })
  for (let index = 0; index < 20; index += 1) await world.accept({ identity: `r-${index}` })
  await world.commit()
  const full = world.engine.isFull

  world.engine.close()
  const afterClose = world.engine.isFull
  await world.restart()
  const afterRestart = world.engine.isFull
  await world.fail()

  expect([full, afterClose, afterRestart, world.engine.isFull]).toEqual([true, false, true, true])
})

test('an outbox that is full takes requests again when some have ended', async () => {
  const outbox = { requests: 1_000_000, bytes: 8000 }
  const world = await EngineWorld.begin(utf8Serde, 2, { outbox })
  for (let index = 0; index < 16; index += 1)
    await world.accept({ identity: `r-${index}`, expiresAtMs: world.clock.nowMs() + 1000 })
  const full = world.engine.isFull

  world.clock.advance(1000)
  await world.turn()

  expect([full, world.engine.isFull]).toEqual([true, false])
})
