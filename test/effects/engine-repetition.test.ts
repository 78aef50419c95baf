import { beforeEach, expect, test } from 'vitest'
import { EngineWorld } from './engine-world.ts'

const hourMs = 3_600_000

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

async function turnAndCommit(): Promise<void> {
  await world.turn()
  await world.turn()
  await world.commit()
}

/** `a` has been asked for with the dot and nobody knows; `b` is to be tried later. */
async function doubtfulAttempt(): Promise<void> {
  await world.accept({ identity: 'r-1', targets: ['a', 'b'], repeatable: true })
  await world.turn()
  const deferred = [{ target: 'b', reply: '450 later' }]
  world.sink.of('r-1').hold({ accepted: ['a'], deferred, repeatableForMs: hourMs })
  await world.turn()
  await world.commit()
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  await world.turn()
}

test('it is repeated for its own recipients, at its own relay, and its answer counts', async () => {
  await doubtfulAttempt()
  const { attempt } = world.sink.of('r-1')

  world.sink.of('r-1').hold({ repeatableForMs: hourMs })
  await turnAndCommit()
  world.sink.of('r-1').reply('done')
  await turnAndCommit()

  expect(attempt).toMatchObject({ targets: ['a'], onlyRelay: 'relay:25' })
  expect(world.sink.dots('r-1')).toBe(2)
  expect((await world.stored('r-1'))?.targets).toMatchObject([
    { target: 'a', status: 'accepted' },
    { target: 'b', status: 'pending' },
  ])
})

test('another owner repeats it as well', async () => {
  await world.accept({ identity: 'r-1', repeatable: true })
  await world.turn()
  world.sink.of('r-1').hold({ repeatableForMs: hourMs })
  await world.turn()
  await world.commit()
  await world.restart()

  world.clock.advance(21_000)
  await turnAndCommit()
  await world.turn()

  expect(world.committed).toEqual([])
  expect(world.sink.tries).toHaveLength(2)
  expect(world.sink.of('r-1').attempt.onlyRelay).toBe('relay:25')
})

test('what is no repetition gets no dot', async () => {
  await doubtfulAttempt()

  world.sink.of('r-1').hold()
  await turnAndCommit()
  await world.commit()

  expect(world.sink.of('r-1').state).toBe('undone')
  expect(world.sink.dots('r-1')).toBe(1)
  expect(await world.stored('r-1')).toMatchObject({ state: { kind: 'waiting' } })
})

test('when its time is over it is held instead, also at the gate', async () => {
  await doubtfulAttempt()
  world.sink.of('r-1').hold({ repeatableForMs: hourMs })

  world.clock.advance(hourMs)
  await turnAndCommit()

  expect(world.sink.dots('r-1')).toBe(1)
  expect((await world.stored('r-1'))?.targets).toMatchObject([{ status: 'unknown' }, {}])
})

test('when its time was over before a try began nobody is asked', async () => {
  await doubtfulAttempt()
  world.sink.of('r-1').fail({ reached: false, retryInMs: 1000 })
  await turnAndCommit()
  const before = world.sink.tries.length

  world.clock.advance(hourMs)
  await turnAndCommit()
  await turnAndCommit()

  const { attempt } = world.sink.of('r-1')
  expect((await world.stored('r-1'))?.targets).toMatchObject([{ status: 'unknown' }, {}])
  expect(world.sink.tries).toHaveLength(before + 1)
  expect(attempt.targets).toEqual(['b'])
})
