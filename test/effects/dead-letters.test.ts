import { beforeEach, expect, test } from 'vitest'
import { EngineWorld } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

test('a request that its effect gives up for dead keeps its bytes and its place, whoever ends it', async () => {
  await world.dot({ identity: 'r-1' })
  await world.restart()

  const token = await world.tokenOf('r-1')
  await world.evidence('r-1', token, 'refused')

  expect(world.deadLetters).toEqual([
    {
      key: Buffer.from('r-1'),
      headers: [],
      payload: Buffer.from('{"identity":"r-1"}'),
      origin: { topic: 'input', partition: 3, offset: 1 },
      reason: { code: 'REFUSED', message: 'told refused' },
    },
  ])
})

test('an end that is none of a dead letter leaves none, and one that nobody is told of no record', async () => {
  await world.dot({ identity: 'untold' })
  world.sink.of('untold').reply('done')
  await world.turn()
  await world.commit()

  expect(world.deadLetters).toEqual([])
  expect(world.committed).toEqual([])
  expect((await world.stored('untold'))?.state).toMatchObject({ kind: 'ended', end: 'done' })
})
