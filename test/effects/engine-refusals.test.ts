import { beforeEach, expect, test } from 'vitest'
import { EngineWorld } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

const two = { identity: 'r-1', targets: ['a', 'b'] }

async function step(): Promise<void> {
  await world.turn()
  await world.commit()
}

test('who is refused is not tried, and a request of which all are refused ends without a try', async () => {
  world.refused.add('a').add('b')

  await world.accept(two)
  await step()

  expect(world.committed).toEqual(['r-1 refused'])
  expect(world.details).toEqual(['550 never'])
  expect(world.sink.tries).toEqual([])
  expect((await world.stored('r-1'))?.attempts).toBe(0)
  expect(world.slots.used).toBe(0)
})

test('the others of the request are tried', async () => {
  world.refused.add('a')

  await world.accept(two)
  await step()
  const { targets } = world.sink.of('r-1').attempt
  world.sink.of('r-1').hold()
  await step()
  world.sink.of('r-1').reply('done')
  await step()

  expect(targets).toEqual(['b'])
  expect(world.committed).toEqual(['r-1 done'])
  expect((await world.stored('r-1'))?.targets).toMatchObject([
    { target: 'a', status: 'refused', reply: '550 never' },
    { target: 'b', status: 'accepted' },
  ])
})

test('it is asked before every try: who is refused while the request waits is not tried again', async () => {
  await world.accept(two)
  await world.turn()
  world.sink.of('r-1').fail({ deferred: [{ target: 'a', reply: '451 later' }] })
  await step()

  world.refused.add('a').add('b')
  world.clock.advance(10_000)
  // Its bytes are read first.
  await step()
  await step()

  expect(world.committed).toEqual(['r-1 refused'])
  expect(world.sink.tries).toHaveLength(1)
})

test('a try that is past its gate is not touched', async () => {
  await world.dot(two)

  world.refused.add('a').add('b')
  await step()
  world.sink.of('r-1').reply('done')
  await step()

  expect(world.committed).toEqual(['r-1 done'])
})

test('nobody takes a refusal for a sign of life of the other side', async () => {
  await world.accept({ identity: 'r-0' })
  await world.turn()
  world.sink.of('r-0').fail({ reached: false, unavailable: true })
  await world.turn()
  world.refused.add('b')

  world.clock.advance(60_000)
  await world.accept({ identity: 'r-1', targets: ['b'], priority: -1 })
  await step()

  expect(world.committed).toEqual(['r-1 refused'])
  expect(world.slots.isOpen).toBe(true)
})

test('in doubt stays in doubt: that nobody is served again settles nothing', async () => {
  await world.dot({ identity: 'r-1', inDoubt: 'resend' })
  world.refused.add('a')
  world.sink.of('r-1').reply('unknown')
  await step()
  await step()

  expect(world.committed).toEqual(['r-1 in-doubt'])
  expect(world.sink.tries).toHaveLength(1)
})
