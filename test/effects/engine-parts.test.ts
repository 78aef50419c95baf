import { beforeEach, expect, test } from 'vitest'
import { EngineWorld } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

async function turnAndCommit(): Promise<void> {
  await world.turn()
  await world.turn()
  await world.commit()
}

/** The relay takes the first of three recipients, and has its fill. */
async function dotFirst(inDoubt: 'hold' | 'resend' = 'hold'): Promise<void> {
  await world.accept({ identity: 'r-1', targets: ['a', 'b', 'c'], inDoubt })
  await world.turn()
  world.sink.of('r-1').hold({ accepted: ['a'] })
  await turnAndCommit()
}

test('those whom a transaction had no room for follow at once, in a dot of their own', async () => {
  await dotFirst()
  world.sink.of('r-1').reply('done')
  await turnAndCommit()

  expect(world.sink.of('r-1').attempt.targets).toEqual(['b', 'c'])
  world.sink.of('r-1').hold()
  await turnAndCommit()
  world.sink.of('r-1').reply('done')
  await turnAndCommit()

  expect(world.sink.dots('r-1')).toBe(2)
  expect(world.committed).toEqual(['r-1 done'])
  expect(await world.stored('r-1')).toMatchObject({ attempts: 2 })
})

test('nobody else is served while a dot waits for its answer', async () => {
  await dotFirst()
  await turnAndCommit()

  expect(world.sink.tries).toHaveLength(1)
})

test('another owner goes on with the others, and not with the part in doubt', async () => {
  await dotFirst()
  await world.restart()

  world.clock.advance(60_000)
  await turnAndCommit()
  await turnAndCommit()

  expect(world.sink.of('r-1').attempt.targets).toEqual(['b', 'c'])
  expect(await world.stored('r-1')).toMatchObject({ doubts: [{ targets: ['a'] }] })
})

test('a recipient that was told a later time is left out of the retry of the others', async () => {
  await world.accept({ identity: 'r-1', targets: ['a', 'b'] })
  await world.turn()
  world.sink.of('r-1').fail({
    deferred: [
      { target: 'a', reply: '450 in a minute', retryAfterMs: 60_000 },
      { target: 'b', reply: '451 later' },
    ],
  })
  await turnAndCommit()

  world.clock.advance(10_000)
  await turnAndCommit()
  const second = world.sink.of('r-1').attempt.targets
  world.sink.of('r-1').fail({ refused: [{ target: 'b', reply: '550 no' }] })
  await turnAndCommit()
  world.clock.advance(49_999)
  await turnAndCommit()
  const early = world.sink.tries.length
  world.clock.advance(1)
  await turnAndCommit()

  expect(second).toEqual(['b'])
  expect(early).toBe(2)
  expect(world.sink.of('r-1').attempt.targets).toEqual(['a'])
})

test('a mail whose retry would come after its expiry ends at its expiry', async () => {
  await world.accept({ identity: 'r-1', expiresAtMs: world.clock.nowMs() + 5000 })
  await world.turn()
  world.sink.of('r-1').fail({ deferred: [{ target: 'a', reply: '451 later' }] })
  await turnAndCommit()

  world.clock.advance(4999)
  await turnAndCommit()
  const before = [...world.committed]
  world.clock.advance(1)
  await turnAndCommit()

  expect(before).toEqual([])
  expect(world.committed).toEqual(['r-1 expired'])
  expect(world.sink.tries).toHaveLength(1)
})

test('evidence of a former owner says when to try again', async () => {
  await world.dot({ identity: 'r-1' })
  const token = await world.tokenOf('r-1')
  await world.restart()
  const atMs = world.clock.nowMs()

  await world.command({
    kind: 'evidence',
    identity: 'r-1',
    token,
    outcome: 'deferred',
    reply: '451 in a minute',
    atMs,
    retryAfterMs: 60_000,
  })
  await turnAndCommit()

  expect(await world.stored('r-1')).toMatchObject({
    state: { kind: 'waiting', dueMs: atMs + 60_000 },
  })
})
