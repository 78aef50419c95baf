import { expect, test } from 'vitest'
import type { OutcomeKind } from '../../src/sinks/sink.ts'
import { openKey } from '../../src/effects/outbox.ts'
import { EngineWorld } from './engine-world.ts'

const minuteMs = 60_000

/** The request has ended; then its open entry is there again, as in a changelog that lacks the last deletion of a cycle. */
async function leftOver(outcome: OutcomeKind): Promise<EngineWorld> {
  const world = await EngineWorld.begin()
  await world.dot({ identity: 'r-1', firstSeenMs: 5, inDoubt: 'hold' })
  const [open] = await world.backend.getMany([openKey('r-1')])
  world.sink.of('r-1').reply(outcome)
  await world.turn()
  await world.commit()
  const position = { topicId: 'id', offset: 100 }
  await world.backend.apply([{ key: openKey('r-1'), value: open! }], position)
  await world.restart()
  return world
}

async function live(world: EngineWorld, forMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 1000) {
    world.clock.advance(1000)
    await world.turn()
    await world.commit()
  }
}

test('a request that has ended is not taken up again, whatever else the store has of it', async () => {
  const world = await leftOver('done')

  await live(world, minuteMs)

  expect(world.committed).toEqual(['r-1 done'])
  expect(world.sink.tries).toHaveLength(1)
  expect(await world.backend.getMany([openKey('r-1')])).toEqual([undefined])
})

test('a new request of the name is none of them', async () => {
  const world = await leftOver('done')
  await live(world, 1000)

  await world.dot({ identity: 'r-1', firstSeenMs: 6 })
  await world.restart()
  await live(world, minuteMs)

  expect(world.committed).toEqual(['r-1 done', 'r-1 in-doubt'])
})

test('nor is one that was first seen at the same time in another place', async () => {
  const world = await leftOver('done')
  await live(world, 1000)

  await world.accept({ identity: 'r-1', firstSeenMs: 5 }, 0, 'another place')
  await world.commit()
  await world.restart()
  await world.turn()

  expect(world.sink.tries).toHaveLength(2)
})

test('one that ended in doubt is open as long as it is said to be: a person may have taken the end back', async () => {
  const world = await leftOver('unknown')

  await live(world, minuteMs)

  expect(world.committed).toEqual(['r-1 in-doubt', 'r-1 in-doubt'])
})
