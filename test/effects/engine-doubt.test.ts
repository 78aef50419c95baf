import { beforeEach, expect, test } from 'vitest'
import { endedKey } from '../../src/effects/outbox.ts'
import { EngineWorld } from './engine-world.ts'

const waitMs = 21_000

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

/** Its owner died with the dot written. */
async function foreignAttempt(inDoubt: 'hold' | 'resend' = 'hold'): Promise<string> {
  await world.dot({ identity: 'r-1', inDoubt })
  await world.restart()
  return world.tokenOf('r-1')
}

async function turnAndCommit(): Promise<void> {
  await world.turn()
  await world.turn()
  await world.commit()
}

test('an attempt of a former owner is in doubt 21 s after it was read, not before', async () => {
  await foreignAttempt()

  world.clock.advance(waitMs - 1)
  await turnAndCommit()
  const early = [...world.committed]
  const delayMs = world.engine.nextDelayMs()
  world.clock.advance(1)
  await turnAndCommit()

  expect(early).toEqual([])
  expect(delayMs).toBe(1)
  expect(world.committed).toEqual(['r-1 in-doubt'])
  expect(world.sink.tries).toHaveLength(1)
})

test('with resend it is sent again then', async () => {
  await foreignAttempt('resend')

  world.clock.advance(waitMs)
  await turnAndCommit()
  await world.turn()

  expect(world.committed).toEqual([])
  expect(world.sink.tries).toHaveLength(2)
  expect(world.sink.of('r-1').attempt.targets).toEqual(['a'])
})

test('evidence decides at once, and no doubt remains', async () => {
  const token = await foreignAttempt()

  await world.evidence('r-1', token, 'done')
  await world.commit()
  world.clock.advance(waitMs)
  await turnAndCommit()

  expect(world.committed).toEqual(['r-1 done'])
})

test('evidence about another attempt says nothing', async () => {
  await foreignAttempt()

  await world.evidence('r-1', 'of somebody else', 'done')
  await world.commit()

  expect(world.committed).toEqual([])
  expect(world.engine.counts().inDoubt).toBe(1)
})

test('evidence that it was never performed lets it be tried', async () => {
  const token = await foreignAttempt()

  await world.evidence('r-1', token, 'abandoned')
  await world.turn()

  expect(world.engine.counts().inDoubt).toBe(0)
  expect(world.sink.tries).toHaveLength(2)
})

test('late evidence revises the in-doubt end, once', async () => {
  const token = await foreignAttempt()
  world.clock.advance(waitMs)
  await turnAndCommit()

  await world.evidence('r-1', token, 'done')
  await world.commit()
  await world.evidence('r-1', token, 'done')
  await world.commit()

  expect(world.committed).toEqual(['r-1 in-doubt', 'r-1 done revised'])
})

test('late evidence of no delivery sends an ended request again, and forgets that it had ended', async () => {
  const token = await foreignAttempt()
  world.clock.advance(waitMs)
  await turnAndCommit()

  await world.evidence('r-1', token, 'abandoned')
  await world.commit()
  expect(await world.backend.getMany([endedKey('r-1')])).toEqual([undefined])
  await world.restart()
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()
  world.sink.of('r-1').reply('done')
  await turnAndCommit()

  expect(world.committed).toEqual(['r-1 in-doubt', 'r-1 done revised'])
})

test('the owner of a live connection decides: evidence about its attempt is not heard', async () => {
  await world.dot({ identity: 'r-1' })

  await world.evidence('r-1', await world.tokenOf('r-1'), 'abandoned')
  await world.commit()

  expect((await world.stored('r-1'))?.state.kind).toBe('attempting')
})

test('evidence about one recipient while another is being tried is kept, and undoes no attempt', async () => {
  await world.accept({ identity: 'r-1', targets: ['a', 'b'] })
  await world.turn()
  const later = [{ target: 'b', reply: '451 later' }]
  world.sink.of('r-1').hold({ accepted: ['a'], deferred: later })
  await world.turn()
  await world.commit()
  const token = await world.tokenOf('r-1')
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  world.clock.advance(10_000)
  await world.turn()
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()

  await world.evidence('r-1', token, 'done')
  await world.commit()
  world.sink.of('r-1').reply('refused')
  await turnAndCommit()

  expect(world.committed).toEqual(['r-1 done'])
  expect((await world.stored('r-1'))?.targets.map(each => each.status)).toEqual([
    'accepted',
    'refused',
  ])
})

test('evidence about an older attempt leaves the doubt about the last one to its time', async () => {
  await world.accept({ identity: 'r-1', targets: ['a', 'b'] })
  await world.turn()
  const later = [{ target: 'b', reply: '451 later' }]
  world.sink.of('r-1').hold({ accepted: ['a'], deferred: later })
  await world.turn()
  await world.commit()
  const token = await world.tokenOf('r-1')
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  world.clock.advance(10_000)
  await world.turn()
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()
  await world.restart()

  await world.evidence('r-1', token, 'refused')
  await world.commit()
  world.clock.advance(waitMs)
  await turnAndCommit()

  expect(world.committed).toEqual(['r-1 in-doubt'])
})

test('evidence undoes a try that has not been sealed: it may not be needed', async () => {
  await world.accept({ identity: 'r-1', targets: ['a', 'b'], inDoubt: 'resend' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()
  const token = await world.tokenOf('r-1')
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  expect(world.sink.of('r-1').state).toBe('preparing')

  await world.evidence('r-1', token, 'done')
  await world.turn()
  await world.commit()

  expect(world.sink.of('r-1').state).toBe('undone')
  expect(world.committed).toEqual(['r-1 done'])
  expect(world.slots.used).toBe(0)
})

test('evidence that says nothing new lets an undone try begin again', async () => {
  await world.accept({ identity: 'r-1', inDoubt: 'resend' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()
  const token = await world.tokenOf('r-1')
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()

  await world.evidence('r-1', token, 'unknown')
  await world.turn()

  expect(world.sink.of('r-1').state).toBe('preparing')
  expect(world.sink.tries).toHaveLength(3)
})
