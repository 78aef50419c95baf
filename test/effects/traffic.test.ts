import { expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { TrafficWorld } from './traffic-world.ts'

const bulk = 2
const high = 0

/** How many of them are of each source. */
function bySource(identities: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const identity of identities) {
    const source = identity.split('/')[0]!
    counts[source] = (counts[source] ?? 0) + 1
  }
  return counts
}

test('sources take turns, however many requests one of them has', () => {
  const world = new TrafficWorld({ slots: 9 })
  world.publishMany(1000, 'hot/', 'a.example')
  world.publishMany(3, 'mild/', 'a.example')
  world.publishMany(3, 'rare/', 'b.example')

  expect(bySource(world.turn())).toEqual({ hot: 3, mild: 3, rare: 3 })
})

test('within a source it is first come, first served', () => {
  const world = new TrafficWorld({ slots: 4 })
  for (const name of ['s/1@a', 's/2@b', 's/3@a', 's/4@c']) world.publish(name)

  expect(world.turn()).toEqual(['s/1', 's/2', 's/3', 's/4'])
})

test('a destination has no more connections than its limit, and nobody waits behind it', () => {
  const world = new TrafficWorld({
    limits: { destinations: new Map([['slow', { connections: 2 }]]) },
  })
  world.publishMany(50, 's/slow-', 'slow')
  world.publishMany(5, 's/quick-', 'quick')

  const begun = world.turn()

  expect(begun.filter(each => each.startsWith('s/slow'))).toHaveLength(2)
  expect(begun.filter(each => each.startsWith('s/quick'))).toHaveLength(5)
})

test('what was held back goes on in its order as room comes back', () => {
  const world = new TrafficWorld({ limits: { destination: { connections: 1 } } })
  world.publishMany(4, 's/', 'a')
  const order = [...world.turn()]

  for (let each = 0; each < 3; each += 1) {
    world.endAll()
    order.push(...world.turn())
  }

  expect(order).toEqual(['s/0', 's/1', 's/2', 's/3'])
})

test('a destination gets no more messages a second than its limit', () => {
  const world = new TrafficWorld({ limits: { destination: { perSecond: 10 } } })
  world.publishMany(100, 's/', 'a')

  let begun = 0
  for (let ms = 0; ms < 5000; ms += 20) {
    begun += world.turn().length
    world.endAll()
    world.clock.advance(20)
  }

  expect(begun).toBeGreaterThanOrEqual(49)
  expect(begun).toBeLessThanOrEqual(51)
})

test('whoever waits for a rate is told when there is room: nobody has to ask', () => {
  const world = new TrafficWorld({ limits: { destination: { perSecond: 1 } } })
  let told = 0
  world.slots.onFree(() => (told += 1))
  world.publishMany(2, 's/', 'a')
  world.turn()
  world.endAll()
  world.turn()
  told = 0

  world.clock.advance(999)
  const early = told
  world.clock.advance(1)

  expect([early, told]).toEqual([0, 1])
  expect(world.turn()).toEqual(['s/1'])
})

test('a request to several destinations waits for room of all of them', () => {
  const world = new TrafficWorld({ limits: { destination: { connections: 1 } } })
  world.publish('s/a@a')
  world.publish('s/b@b')
  world.publish('s/both@a,b')
  world.publish('s/c@c')
  const first = world.turn()

  world.end('s/a')
  const second = world.turn()
  world.end('s/b')

  expect(first).toEqual(['s/a', 's/b', 's/c'])
  expect(second).toEqual([])
  expect(world.turn()).toEqual(['s/both'])
})

test('room that a woken request cannot use goes to the next that waits for it', () => {
  const world = new TrafficWorld({ limits: { destination: { connections: 1 } } })
  for (const name of ['s/a@a', 's/b@b']) world.publish(name)
  world.turn()
  // Both wait for a; the first of them will find that b has no room.
  world.publish('s/both@a,b')
  world.publish('s/only@a')
  world.turn()

  world.end('s/a')

  expect(world.turn()).toEqual(['s/only'])
})

test.each([
  {
    what: 'leaves before it begins',
    goAway: (world: TrafficWorld) => {
      const occupied = world.slots.tryAcquire()!
      world.turn()
      world.tasks[0]!.delete('t/1')
      occupied.release()
    },
  },
  {
    what: 'turns out not to need it',
    goAway: ({ tasks: [task], slots }: TrafficWorld) => {
      task!.wakeBlocked(party => slots.roomOf(party))
      task!.takeReady(() => 'taken')
      task!.delete('t/1')
    },
  },
])('room of a woken request that $what goes to the next that waits for it', ({ goAway }) => {
  const world = new TrafficWorld({ slots: 2, limits: { destination: { connections: 1 } } })
  for (const name of ['s/0@a', 't/1@a', 's/2@a', 's/x@b']) world.publish(name)
  world.turn()
  world.end('s/0')

  goAway(world)

  expect(world.turn()).toEqual(['s/2'])
})

test('a source has its limits too', () => {
  const world = new TrafficWorld({ limits: { sources: new Map([['hot', { connections: 3 }]]) } })
  world.publishMany(50, 'hot/', 'a')
  world.publishMany(2, 'mild/', 'a')

  expect(bySource(world.turn())).toEqual({ hot: 3, mild: 2 })
})

test('the sink as a whole gets no more messages a second than its limit', () => {
  const world = new TrafficWorld({ limits: { sink: { perSecond: 5 } } })
  world.publishMany(50, 's/', 'a')

  const first = world.turn()
  world.clock.advance(200)

  expect([first, world.turn(), world.turn()]).toEqual([['s/0'], ['s/1'], []])
})

test('the last connection of many is never one single destination’s', () => {
  const world = new TrafficWorld({ slots: 10 })
  world.publishMany(50, 's/', 'a')
  world.turn()

  world.publish('t/1@b')

  expect(world.running).toHaveLength(9)
  expect(world.turn()).toEqual(['t/1'])
})

test('a destination that takes long, and longer than others, leaves half of the connections to them', () => {
  const world = new TrafficWorld({ slots: 10 })
  world.publishMany(20, 's/quick-', 'quick')
  while (world.left > 0) {
    world.turn()
    world.clock.advance(10)
    world.endAll()
  }
  world.publishMany(50, 's/slow-', 'slow')
  world.turn()
  world.clock.advance(1001)
  world.end('s/slow-0')

  expect(world.turn()).toEqual([])
  expect(world.running).toHaveLength(8)

  for (const { identity } of world.running.slice(0, 4)) world.end(identity)
  expect(world.turn()).toHaveLength(1)
})

test('bulk leaves a tenth of the connections to others: a high request begins at once', () => {
  const world = new TrafficWorld({ slots: 20 })
  for (let each = 0; each < 100; each += 1) world.publish(`s/${each}@d${each}`, bulk)
  world.turn()

  world.publish('s/urgent@a', high)

  expect(world.running).toHaveLength(18)
  expect(world.turn()).toEqual(['s/urgent'])
})

test('of eight turns six are for the highest priority, and one for each of the others', () => {
  const world = new TrafficWorld({ slots: 8 })
  for (const [name, priority] of [
    ['high', high],
    ['normal', 1],
    ['bulk', bulk],
  ] as const)
    for (let each = 0; each < 20; each += 1) world.publish(`${name}/${each}@d${each}`, priority)

  expect(bySource(world.turn())).toEqual({ high: 6, normal: 1, bulk: 1 })
})

test('of those that wait for the same destination the highest priority goes first, and none starves', () => {
  const world = new TrafficWorld({ limits: { destination: { connections: 1 } } })
  for (const [name, priority] of [
    ['bulk', bulk],
    ['normal', 1],
    ['high', high],
  ] as const)
    world.publishMany(20, `${name}/`, 'a', priority)
  world.turn()
  for (let each = 0; each < 16; each += 1) {
    world.endAll()
    world.turn()
  }

  expect(bySource(world.begun)).toMatchObject({ high: 15 })
  expect(Object.keys(bySource(world.begun))).toHaveLength(3)
})

test('each instance has its share of a limit, and at least a trickle', () => {
  const world = new TrafficWorld({
    limits: { destination: { perSecond: 10, connections: 4 } },
  })
  world.slots.setShare(0.5)
  world.publishMany(10, 's/', 'a')
  world.publishMany(1, 's/', 'b')
  let begun = 0
  for (let ms = 0; ms < 1000; ms += 10) {
    begun += world.turn().length
    world.clock.advance(10)
  }
  const half = world.running.length

  world.slots.setShare(0.01)
  world.endAll()
  world.clock.advance(100_000)

  expect([half, begun]).toEqual([3, 3])
  expect(world.turn()).toHaveLength(1)
})

test('a larger share is told of, though nobody gives room back', () => {
  const world = new TrafficWorld({ limits: { destination: { connections: 4 } } })
  world.slots.setShare(0.25)
  world.publishMany(4, 's/', 'a')
  const few = world.turn()
  let told = 0
  world.slots.onFree(() => (told += 1))

  world.slots.setShare(1)

  expect([few.length, told, world.turn().length]).toEqual([1, 1, 3])
})

test.each(Array.from({ length: 40 }, (_, seed) => seed))(
  'seed %i: whatever the limits, everything begins in the end, and none is overrun',
  seed => {
    const random = seededRandom(seed)
    const pick = (most: number): number => Math.floor(random.next() * most)
    const connections = 1 + pick(3)
    const world = new TrafficWorld({
      slots: 4 + pick(10),
      tasks: 1 + pick(4),
      limits: {
        destination: { connections, perSecond: 20 + pick(50) },
        source: pick(2) === 0 ? {} : { connections: 1 + pick(4) },
      },
    })
    const count = 400
    let published = 0
    for (let step = 0; step < 20_000 && (published < count || world.left > 0); step += 1) {
      if (published < count && pick(2) === 0) {
        const several = Array.from({ length: 1 + pick(3) }, () => `d${pick(4)}`)
        const destinations = pick(3) === 0 ? several : [`d${pick(4)}`]
        const name = `s${pick(3)}/${published}@${[...new Set(destinations)].join(',')}`
        world.publish(name, pick(3), pick(world.tasks.length))
        published += 1
      }
      world.turn()
      const perDestination = new Map<string, number>()
      for (const { permit } of world.running)
        for (const party of permit.parties)
          if (party.startsWith('destination'))
            perDestination.set(party, (perDestination.get(party) ?? 0) + 1)
      expect(Math.max(0, ...perDestination.values())).toBeLessThanOrEqual(connections)
      if (world.running.length > 0 && pick(2) === 0)
        world.end(world.running[pick(world.running.length)]!.identity)
      world.clock.advance(pick(20))
    }

    expect(world.begun).toHaveLength(count)
    expect(new Set(world.begun).size).toBe(count)
    expect(world.tasks.map(task => task.size + task.blockedCount)).toEqual(world.tasks.map(() => 0))
  },
)
