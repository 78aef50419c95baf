import { beforeEach, expect, test } from 'vitest'
import type { Permit } from '../../src/effects/permit.ts'
import { utf8Serde } from '../../src/serde.ts'
import { EngineWorld, settle } from './engine-world.ts'

const hourMs = 3_600_000

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

const inMs = (delayMs: number): number => world.clock.nowMs() + delayMs

test('the same record again is the same request: nothing happens', async () => {
  await world.accept({ identity: 'r-1', firstSeenMs: 5 })
  await world.commit()

  await world.accept({ identity: 'r-1', firstSeenMs: 5 })
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual([])
  expect(world.sink.tries).toHaveLength(1)
})

test('another request of a name that is open is answered, not carried out', async () => {
  await world.accept({ identity: 'r-1', firstSeenMs: 5 })
  await world.commit()

  await world.accept({ identity: 'r-1', firstSeenMs: 6 })
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual([expect.stringContaining('repeats')])
  expect(world.sink.tries).toHaveLength(1)
})

test('of two requests that were first seen at one time the second is answered as well', async () => {
  await world.accept({ identity: 'r-1', firstSeenMs: 5 }, 0, 'a place')
  await world.commit()

  await world.accept({ identity: 'r-1', firstSeenMs: 5 }, 0, 'another place')
  await world.accept({ identity: 'r-1', firstSeenMs: 5 }, 0, 'a place')
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual([expect.stringContaining('repeats')])
  expect(world.sink.tries).toHaveLength(1)
})

test('once it has ended, only a request that was first seen at another time is a new one', async () => {
  const end = async (): Promise<void> => {
    world.sink.of('r-1').reply('done')
    await world.turn()
    await world.commit()
  }
  await world.dot({ identity: 'r-1', firstSeenMs: 5 })
  await end()

  await world.accept({ identity: 'r-1', firstSeenMs: 5 })
  await world.turn()
  const afterReplay = world.sink.tries.length
  await world.dot({ identity: 'r-1', firstSeenMs: 6 })
  await end()

  expect(afterReplay).toBe(1)
  expect(world.committed).toEqual(['r-1 done', 'r-1 done'])
})

test('a request that comes too late ends unsent, and leaves its name behind', async () => {
  await world.accept({ identity: 'r-1', expiresAtMs: inMs(0) })
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 expired'])
  expect(world.sink.tries).toEqual([])
  expect((await world.stored('r-1'))?.payload).toHaveLength(0)
})

test('notBefore is waited for, across a restart', async () => {
  await world.accept({ identity: 'r-1', notBeforeMs: inMs(hourMs) })
  await world.turn()
  await world.commit()

  await world.restart()
  world.clock.advance(hourMs - 1)
  await world.turn()
  const early = world.sink.tries.length
  world.clock.advance(1)
  await world.turn()
  await world.turn()

  expect(early).toBe(0)
  expect(world.sink.tries).toHaveLength(1)
})

test.each([
  { where: 'waits for its turn', begin: async () => void occupy() },
  {
    where: 'waits for a retry',
    begin: async () => {
      await world.turn()
      world.sink.of('r-1').fail({ deferred: [{ target: 'a', reply: '451 later' }] })
      await world.turn()
    },
  },
  {
    where: 'waits for its turn after a retry',
    begin: async () => {
      await world.turn()
      world.sink.of('r-1').fail()
      await world.turn()
      occupy()
      world.clock.advance(1000)
      await world.turn()
    },
  },
  {
    where: 'waits at its gate',
    begin: async () => {
      await world.turn()
      world.sink.of('r-1').hold()
      await settle()
    },
  },
  {
    where: 'has been tried without reaching anybody',
    begin: async () => {
      await world.turn()
      world.clock.advance(8000)
      world.sink.of('r-1').fail({ reached: false, unavailable: true })
    },
  },
])('what expires while it $where ends, unsent', async ({ begin }) => {
  await world.accept({ identity: 'r-1', expiresAtMs: inMs(8000) })
  await begin()
  await world.commit()

  world.clock.advance(8000)
  await world.turn()
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 expired'])
  expect(world.sink.dots('r-1')).toBe(0)
  expect(world.engine.counts()).toMatchObject({ open: 0, flying: 0 })
})

/** Nobody has room until one of them is released. */
function occupy(): Permit[] {
  const permits: Permit[] = []
  for (;;) {
    const permit = world.slots.tryAcquire()
    if (permit === undefined) return permits
    permits.push(permit)
  }
}

test('an attempt under way is not ended by its expiry', async () => {
  await world.dot({ identity: 'r-1', expiresAtMs: inMs(8000) })

  world.clock.advance(8000)
  await world.turn()
  world.sink.of('r-1').reply('done')
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 done'])
})

test.each([
  { rule: 'each is tried once', concurrencyMax: 50, committed: 2110 },
  { rule: 'the urgent ones go first', concurrencyMax: 2, committed: 14 },
])('of more requests than memory keeps $rule', async ({ concurrencyMax, committed }) => {
  world = await EngineWorld.begin(utf8Serde, concurrencyMax)
  for (let index = 0; index < 2100; index += 1)
    await world.accept({ identity: `bulk-${index}`, priority: 2 })
  for (let index = 0; index < 10; index += 1)
    await world.accept({ identity: `high-${index}`, priority: 0 })
  await world.commit()

  for (let steps = 0; steps < 100 && world.committed.length < committed; steps += 1) {
    await world.turn()
    for (const each of world.sink.tries.filter(({ state }) => state === 'preparing')) each.hold()
    await world.turn()
    await world.commit()
    for (const each of world.sink.tries.filter(({ state }) => state === 'dotted'))
      each.reply('done')
  }

  expect(world.committed).toHaveLength(committed)
  expect(new Set(world.committed).size).toBe(committed)
  expect(world.committed.filter(each => each.startsWith('high'))).toHaveLength(10)
})

test('an urgent request whose cycle is just committing is found, although memory is full', async () => {
  const [first, second] = occupy()
  for (let index = 0; index < 2001; index += 1) await world.accept({ identity: `r-${index}` })
  await world.turn()
  await world.commit()
  await world.accept({ identity: 'urgent', priority: -1 })
  first!.release()

  world.freeze()
  const turned = world.turn()
  await world.finish()
  await turned
  second!.release()
  await world.turn()

  expect(world.sink.tries.map(each => each.identity)).toEqual(['r-0', 'urgent'])
})

test('what nobody could read stops the engine, and is read again after it', async () => {
  await world.accept({ identity: 'r-1', notBeforeMs: inMs(1000) })
  await world.turn()
  await world.commit()
  world.backend.isBroken = true
  world.clock.advance(1000)
  await world.turn()
  await expect(world.turn()).rejects.toThrow('disk gone')

  world.backend.isBroken = false
  await world.fail()
  await world.turn()
  await world.turn()

  expect(world.sink.tries).toHaveLength(1)
})
