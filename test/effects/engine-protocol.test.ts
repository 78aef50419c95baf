import { beforeEach, expect, test } from 'vitest'
import { EngineWorld } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

test('the two transactions around the dot, step by step', async () => {
  const { sink, journal } = world
  const stored = async () => (await world.stored('r-1'))?.state.kind

  await world.accept({ identity: 'r-1' })
  await world.turn()
  sink.of('r-1').hold()
  const isUrgent = await world.turn()
  expect(isUrgent).toBe(true)
  expect(await stored()).toBeUndefined()

  world.freeze()
  expect(journal.lines).toEqual(['attempt life-2:1 commands/3'])
  expect(sink.of('r-1').state).toBe('held')

  await world.finish()
  expect(await stored()).toBe('attempting')
  expect(journal.lines.at(-1)).toBe('dot life-2:1')
  expect(sink.of('r-1').state).toBe('dotted')

  sink.of('r-1').reply('done')
  await world.turn()
  expect(journal.lines.at(-1)).toBe('reply life-2:1 done')
  expect(world.committed).toEqual([])

  await world.commit()
  expect(await stored()).toBe('ended')
  expect(journal.lines.at(-1)).toBe('settled life-2:1')
  expect(world.committed).toEqual(['r-1 done'])
  expect(world.engine.counts()).toEqual({ open: 0, inDoubt: 0, waiting: 0, flying: 0 })
  expect(world.slots.used).toBe(0)
})

test('it is about to need a commit on its way to the gate and back, not while it waits for one', async () => {
  const { engine, sink } = world
  const moving: boolean[] = []
  const step = async (act: () => unknown): Promise<void> => {
    await act()
    await world.turn()
    moving.push(engine.isMoving)
  }

  await step(() => world.accept({ identity: 'r-1' }))
  await step(() => sink.of('r-1').hold())
  await step(() => world.commit())
  await step(() => sink.of('r-1').reply('done'))

  expect(moving).toEqual([true, false, true, false])
})

test.each([
  {
    clock: 'monotonic',
    pass: () => {
      world.clock.advance(5000)
      world.clock.jumpWallClock(-5000)
    },
  },
  { clock: 'wall', pass: () => world.clock.jumpWallClock(5000) },
])('5 s after transaction 1 began by the $clock clock nothing is performed', async ({ pass }) => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()

  world.freeze()
  pass()
  await world.finish()

  expect(world.sink.dots('r-1')).toBe(0)
  await world.turn()
  await world.commit()
  expect((await world.stored('r-1'))?.state.kind).toBe('queued')
})

test('just below 5 s it is performed', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()

  world.freeze()
  world.clock.advance(4999)
  await world.finish()

  expect(world.sink.dots('r-1')).toBe(1)
})

test('when the dot cannot be journaled it is not written', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  world.freeze()

  world.journal.dots = () => Promise.reject(new Error('disk full'))

  await expect(world.finish()).rejects.toThrow('disk full')
  expect(world.sink.dots('r-1')).toBe(0)
})

test('many share one transaction 1, and no more than there is room for are tried', async () => {
  for (const identity of ['r-1', 'r-2', 'r-3']) await world.accept({ identity })

  await world.turn()
  for (const each of world.sink.tries) each.hold()
  await world.turn()
  await world.commit()

  expect(world.sink.tries.map(each => [each.identity, each.state])).toEqual([
    ['r-1', 'dotted'],
    ['r-2', 'dotted'],
  ])
  world.sink.of('r-1').reply('done')
  await world.turn()
  expect(world.sink.of('r-3').state).toBe('preparing')
})

test('an attempt that committed waits for nobody: it is not tried again while its reply is out', async () => {
  await world.dot({ identity: 'r-1' })

  world.clock.advance(60_000)
  await world.turn()

  expect(world.sink.tries).toHaveLength(1)
})

test('recipients are tried alone where they were told to come later', async () => {
  await world.accept({ identity: 'r-1', targets: ['a', 'b', 'c'] })
  await world.turn()
  const later = [{ target: 'b', reply: '451 later' }]
  const refused = [{ target: 'c', reply: '550 no' }]
  world.sink.of('r-1').hold({ accepted: ['a'], deferred: later, refused })
  await world.turn()
  await world.commit()
  world.sink.of('r-1').reply('done')
  await world.turn()
  await world.commit()

  world.clock.advance(10_000)
  await world.turn()
  // Its bytes had left memory while it waited.
  await world.turn()

  expect(world.sink.of('r-1').attempt.targets).toEqual(['b'])
  expect(world.committed).toEqual([])
})

test('what fails before its gate waits for its retry in the store', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').fail({ deferred: [{ target: 'a', reply: '451 later' }] })
  await world.turn()
  await world.commit()

  expect((await world.stored('r-1'))?.state).toEqual({
    kind: 'waiting',
    dueMs: world.clock.nowMs() + 10_000,
  })
  expect(world.engine.nextDelayMs()).toBe(10_000)
  expect(world.slots.used).toBe(0)
})

test('a relay that nobody reached costs no retry and no try', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').fail({ reached: false, unavailable: true })
  await world.turn()
  expect(world.sink.tries).toHaveLength(1)

  world.clock.advance(1000)
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()

  expect(await world.stored('r-1')).toMatchObject({ attempts: 1, retries: 0, drops: 0 })
})

test('lost at its gate, nothing was delivered: silence, with its own back-off', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  const { sink } = world
  sink.of('r-1').hold()
  await Promise.resolve()

  sink.of('r-1').lose('421 closing')
  await world.turn()
  await world.commit()

  expect(await world.stored('r-1')).toMatchObject({ state: { kind: 'waiting' }, drops: 1 })
  expect(world.slots.used).toBe(0)
})

test('a sink that breaks while it prepares costs the request its back-off, and nobody a place', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()

  world.sink.of('r-1').breakDown('a bug')
  await world.turn()
  await world.commit()

  expect(await world.stored('r-1')).toMatchObject({ state: { kind: 'waiting' }, reply: 'a bug' })
  expect(world.slots.used).toBe(0)
})

test('a sink that breaks after the dot leaves the attempt in doubt', async () => {
  await world.dot({ identity: 'r-1' })

  world.sink.of('r-1').breakDown('a bug')
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 in-doubt'])
  expect(world.slots.used).toBe(0)
})
