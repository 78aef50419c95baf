import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { utf8Serde } from '../../src/serde.ts'
import { EngineWorld } from './engine-world.ts'
import { TrafficWorld, trafficOf, WorldRooms } from './traffic-world.ts'

test('what goes to a relay without room waits, and others go on', () => {
  const world = new TrafficWorld({ relays: { a: 1, b: 5 } })
  for (const name of ['s/1~a@x', 's/2~a@x', 's/3~b@x', 's/4~a@x', 's/5~b@y']) world.publish(name)

  expect(world.turn()).toEqual(['s/1~a', 's/3~b', 's/5~b'])
})

test('it is woken by room, in its order, and asks nobody meanwhile', () => {
  const world = new TrafficWorld({ relays: { a: 1, b: 5 } })
  for (const name of ['s/1~a@x', 's/2~a@x', 's/3~a@x']) world.publish(name)
  world.turn()
  for (let turns = 0; turns < 10; turns += 1) world.turn()
  const { asked } = world

  world.end('s/1~a')
  const second = world.turn()
  world.end('s/2~a')

  expect([second, world.turn()]).toEqual([['s/2~a'], ['s/3~a']])
  expect([asked, world.asked]).toEqual([2, 2])
})

test('room that comes between the look at it and the wait is not lost', () => {
  const world = new TrafficWorld({ relays: { a: 1, b: 1 } })
  const [task] = world.tasks
  world.publish('s/1~a@x')
  task!.takeReady(() => 'begun')

  // Nobody tells: there is room all the while.
  task!.waitFor('s/1~a', 'relay a')

  expect(world.turn()).toEqual(['s/1~a'])
})

test('of those who wait for a relay HIGH goes before BULK, and sources take turns', () => {
  const world = new TrafficWorld({ relays: { a: 1, b: 1 } })
  for (const name of ['s/0~a', 's/1~a', 's/2~a', 's/3~a', 't/4~a']) world.publish(`${name}@x`, 2)
  world.turn()
  world.publish('s/high~a@x', 0)
  const order: string[] = []

  for (let each = 0; each < 5; each += 1) {
    world.turn()
    world.endAll()
    order.push(...world.turn())
  }

  expect(order[0]).toBe('s/high~a')
  expect(order.slice(1, 4)).toContain('t/4~a')
  expect(new Set(order).size).toBe(5)
})

test('room that BULK was woken for and may not use, because few tries are left, is for HIGH', () => {
  const world = new TrafficWorld({ relays: { a: 1, b: 20 }, slots: 10 })
  world.publish('s/0~a@x')
  world.turn()
  world.publish('s/bulk~a@x', 2)
  for (let each = 0; each < 20; each += 1) world.publish(`h${each}/1~a@x`, 0)
  world.turn()
  for (let each = 0; each < 9; each += 1) world.publish(`b${each}/1~b@y`)
  world.turn()
  const begun: string[][] = []

  // Every eighth is woken out of turn.
  for (let each = 0; each < 16; each += 1) {
    world.end(world.running.find(({ identity }) => identity.endsWith('~a'))!.identity)
    begun.push(world.turn())
  }

  expect(begun.map(each => each.length)).toEqual(Array.from({ length: 16 }, () => 1))
})

test('while no relay has room nobody is asked', () => {
  const world = new TrafficWorld({ relays: { a: 1, b: 1 } })
  world.publish('s/1~a@x')
  world.publish('s/1~b@x')
  world.turn()

  for (let each = 0; each < 100; each += 1) world.publish(`s/more-${each}~a@x`)
  world.turn()

  expect(world.asked).toBe(0)
  expect(world.left).toBeGreaterThan(99)
})

test.each(Array.from({ length: 40 }, (_, seed) => seed))(
  'seed %i: whatever the relays take, everything begins in the end, and none is overrun',
  seed => {
    const random = seededRandom(seed)
    const upTo = (max: number): number => 1 + Math.floor(random.next() * max)
    const capacities = { a: upTo(3), b: upTo(3), c: upTo(10) }
    const world = new TrafficWorld({
      relays: capacities,
      tasks: upTo(3),
      slots: upTo(20),
      limits: { destination: { connections: upTo(3) } },
    })
    const names = new Set<string>()
    for (let each = 0; each < 300; each += 1) {
      const relay = 'abc'[upTo(3) - 1]!
      const name = `s${upTo(4)}/${each}~${relay}`
      names.add(name)
      world.publish(`${name}@d${upTo(5)}`, upTo(3) - 1, upTo(world.tasks.length) - 1)
    }
    for (let turns = 0; turns < 3000 && world.begun.length < names.size; turns += 1) {
      world.turn()
      for (const [relay, most] of Object.entries(capacities))
        expect(world.rooms!.used(relay)).toBeLessThanOrEqual(most)
      const { running } = world
      if (running.length > 0) world.end(running[upTo(running.length) - 1]!.identity)
    }

    expect(new Set(world.begun)).toEqual(names)
  },
)

test('a request that finds its relay full waits without a retry, a write or a timer', async () => {
  const rooms = new WorldRooms({ a: 0, b: 1 })
  const world = await EngineWorld.begin(utf8Serde, 4, { traffic: trafficOf(), rooms })
  await world.accept({ identity: 's/1', targets: ['x@d'] })
  await world.turn()
  await world.commit()

  world.sink.of('s/1').fail({ reached: false, noRoomAt: 'a' })
  await world.turn()
  await world.turn()
  const early = world.sink.tries.length
  rooms.leave('a')
  await world.turn()

  expect([early, world.sink.tries.length]).toEqual([1, 2])
  expect(world.slots.isOpen).toBe(false)
  expect(await world.stored('s/1')).toMatchObject({ state: { kind: 'queued' }, attempts: 0 })
})

test('what waits for room at its relay still expires in time', async () => {
  const rooms = new WorldRooms({ a: 0, b: 1 })
  const world = await EngineWorld.begin(utf8Serde, 4, { traffic: trafficOf(), rooms })
  const expiresAtMs = world.clock.nowMs() + 3000
  await world.accept({ identity: 's/1', targets: ['x@d'], expiresAtMs })
  await world.turn()
  world.sink.of('s/1').fail({ reached: false, noRoomAt: 'a' })
  await world.turn()

  world.clock.advance(3000)
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['s/1 expired'])
})

test('room at a relay of a request that is refused by ourselves is for the next', async () => {
  const rooms = new WorldRooms({ a: 0, b: 1 })
  const world = await EngineWorld.begin(utf8Serde, 4, { traffic: trafficOf(), rooms })
  await world.accept({ identity: 's/1', targets: ['bad@d'] })
  await world.accept({ identity: 't/2', targets: ['x@d'] })
  await world.turn()
  for (const each of ['s/1', 't/2']) world.sink.of(each).fail({ reached: false, noRoomAt: 'a' })
  await world.turn()
  await world.turn()
  world.refused.add('bad@d')

  rooms.leave('a')
  for (let turns = 0; turns < 3; turns += 1) await world.turn()

  expect(world.sink.tries.map(each => each.identity)).toEqual(['s/1', 't/2', 't/2'])
})

test('room at a relay of a request that goes to another one all the same is for the next', async () => {
  const rooms = new WorldRooms({ a: 0, b: 1 })
  const world = await EngineWorld.begin(utf8Serde, 4, { traffic: trafficOf(), rooms })
  await world.accept({ identity: 's/1', targets: ['x@d'] })
  await world.accept({ identity: 't/2', targets: ['x@d'] })
  await world.turn()
  for (const each of ['s/1', 't/2']) world.sink.of(each).fail({ reached: false, noRoomAt: 'a' })
  await world.turn()
  await world.turn()

  // The sink takes it without using up the room: the relay that it prefers is in reach again.
  rooms.leave('a')
  world.woken = 0
  await world.turn()
  const { woken } = world
  await world.turn()

  // Nothing else asks for the turn that wakes the next.
  expect(woken).toBe(1)
  expect(world.sink.tries.map(each => each.identity)).toEqual(['s/1', 't/2', 's/1', 't/2'])
})
