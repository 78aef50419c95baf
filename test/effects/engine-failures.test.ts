import { beforeEach, expect, test } from 'vitest'
import { EngineWorld, settle } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

const stateOf = async (identity: string): Promise<string | undefined> =>
  (await world.stored(identity))?.state.kind

test('a reply whose commit failed is applied again: nothing is sent a second time', async () => {
  await world.dot({ identity: 'r-1' })
  world.sink.of('r-1').reply('done')
  await world.turn()

  world.freeze()
  await world.fail()
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 done'])
  expect(world.sink.dots('r-1')).toBe(1)
  expect(await stateOf('r-1')).toBe('ended')
})

test('a reply whose commit took place although it failed for us says nothing a second time', async () => {
  await world.dot({ identity: 'r-1' })
  world.sink.of('r-1').reply('done')
  await world.turn()

  world.freeze()
  await world.fail(true)
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 done'])
  expect(world.journal.lines.at(-1)).toMatch(/^settled/)
})

test('replies of the active and of the committing cycle survive together', async () => {
  await world.dot({ identity: 'r-1' })
  await world.dot({ identity: 'r-2' })
  world.sink.of('r-1').reply('done')
  await world.turn()
  world.freeze()
  world.sink.of('r-2').reply('refused')
  await world.turn()

  await world.fail()
  await world.turn()
  await world.commit()

  expect(world.committed.toSorted()).toEqual(['r-1 done', 'r-2 refused'])
})

test('a reply that comes while the store is read again is a fact too', async () => {
  await world.dot({ identity: 'r-1' })
  world.overlaid.drop()
  world.engine.failed()
  world.sink.of('r-1').reply('done')
  await settle()

  await world.engine.recover()
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 done'])
})

test('an attempt that was performed stays ours over a failed cycle: it is neither doubted nor tried', async () => {
  await world.dot({ identity: 'r-1' })

  await world.fail()
  world.clock.advance(60_000)
  await world.turn()
  const tries = world.sink.tries.length
  world.sink.of('r-1').reply('done')
  await world.turn()
  await world.commit()

  expect(tries).toBe(1)
  expect(world.committed).toEqual(['r-1 done'])
})

test.each([
  { committed: false, rule: 'did not commit: it never was' },
  { committed: true, rule: 'committed without our knowing: it is taken back, and tried again' },
])('transaction 1 failed for us and $rule', async ({ committed }) => {
  await world.accept({ identity: 'r-1' })
  await world.commit()
  await world.turn()
  const first = world.sink.of('r-1')
  first.hold()
  await world.turn()

  world.freeze()
  await world.fail(committed)
  expect(first.state).toBe('undone')
  await world.turn()
  await world.commit()
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()

  expect(world.sink.tries).toHaveLength(2)
  expect(world.sink.dots('r-1')).toBe(1)
  expect(world.slots.used).toBe(1)
})

test('tries before their gate are undone by a failed cycle, and begin again', async () => {
  await world.accept({ identity: 'r-1' })
  await world.commit()
  await world.turn()
  expect(world.sink.tries).toHaveLength(1)

  await world.fail()
  await world.turn()

  expect(world.sink.tries.map(each => each.state)).toEqual(['undone', 'preparing'])
  await settle()
  expect(world.slots.used).toBe(1)
})

test('a try that was prepared after it had been given up is undone and gives its place back', async () => {
  world.sink.isDeaf = true
  await world.accept({ identity: 'r-1' })
  await world.turn()
  const late = world.sink.of('r-1')

  world.engine.rest()
  late.hold()
  await settle()

  expect(late.state).toBe('undone')
  expect(world.slots.used).toBe(0)
  expect(world.engine.performingCount).toBe(0)
})

test('at rest nothing new begins, and what is performed is waited for', async () => {
  await world.dot({ identity: 'r-1' })
  await world.accept({ identity: 'r-2' })
  await world.turn()

  world.engine.rest()
  await world.turn()
  expect(world.engine.performingCount).toBe(1)

  world.sink.of('r-1').reply('done')
  await settle()
  expect(world.engine.hasUnwritten).toBe(true)
  await world.turn()
  await world.commit()
  expect(world.engine.performingCount).toBe(0)
  expect(world.sink.of('r-2').state).toBe('undone')

  world.engine.resume()
  await world.turn()
  expect(world.sink.of('r-2').state).toBe('preparing')
})

test('when the task leaves, facts that were not committed go to whoever owns the request then', async () => {
  await world.dot({ identity: 'r-1' })
  await world.dot({ identity: 'r-2' })
  const tokens = [await world.tokenOf('r-1'), await world.tokenOf('r-2')]
  world.sink.of('r-1').reply('done')
  await world.turn()

  world.engine.close()
  world.sink.of('r-2').reply('refused')
  await settle()

  expect(world.lateFacts.map(({ token, outcome }) => [token, outcome.kind])).toEqual([
    [tokens[0], 'done'],
    [tokens[1], 'refused'],
  ])
  expect(world.slots.used).toBe(0)
})

test('after the task has left nothing is performed, not even what is just about to be', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  world.freeze()

  world.engine.close()
  await world.finish()

  expect(world.sink.dots('r-1')).toBe(0)
  expect(world.slots.used).toBe(0)
  expect(world.lateFacts.map(each => each.outcome.kind)).toEqual(['abandoned'])
})

test('closing twice says everything once', async () => {
  await world.dot({ identity: 'r-1' })
  world.sink.of('r-1').reply('done')
  await settle()

  world.engine.close()
  world.engine.close()

  expect(world.lateFacts).toHaveLength(1)
})
