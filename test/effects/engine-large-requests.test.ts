import { expect, test } from 'vitest'
import { utf8Serde } from '../../src/serde.ts'
import { EngineWorld } from './engine-world.ts'

const mebibyte = 1024 * 1024
const count = 20
const identities = Array.from({ length: count }, (_, index) => `r-${index}`)

/** Twenty requests of 2 MB each lie in the store of an instance that has just started; it may have a hundred tries at once. */
async function withLargeRequests(expiresInMs?: number): Promise<EngineWorld> {
  const world = await EngineWorld.begin(utf8Serde, 100)
  const plan = expiresInMs === undefined ? {} : { expiresAtMs: world.clock.nowMs() + expiresInMs }
  for (const identity of identities) await world.accept({ ...plan, identity }, 2 * mebibyte)
  await world.commit()
  return world
}

/** The most entries that one read returned. */
function watchReads(world: EngineWorld): { ofKeys: number; ofPages: number } {
  const { backend } = world
  const most = { ofKeys: 0, ofPages: 0 }
  const getMany = backend.getMany.bind(backend)
  const scan = backend.scan.bind(backend)
  backend.getMany = async keys => {
    const values = await getMany(keys)
    most.ofKeys = Math.max(most.ofKeys, values.filter(each => each !== undefined).length)
    return values
  }
  backend.scan = async (...range) => {
    const page = await scan(...range)
    most.ofPages = Math.max(most.ofPages, page.length)
    return page
  }
  return most
}

test('of many large requests a few are in memory: read at the start, read for their turn, or under way', async () => {
  const world = await withLargeRequests()
  const most = watchReads(world)

  await world.restart()
  for (let turn = 0; turn < count; turn += 1) await world.turn()

  expect(most.ofKeys).toBe(2)
  expect(most.ofPages).toBeLessThanOrEqual(4)
  expect(world.sink.tries).toHaveLength(16)
})

test('all of them are sent, as others end', async () => {
  const world = await withLargeRequests()
  await world.restart()

  for (let turn = 0; turn < 200 && world.committed.length < count; turn += 1) {
    await world.turn()
    for (const each of world.sink.tries) {
      if (each.state === 'preparing') each.hold()
      else if (each.state === 'dotted') each.reply('done')
    }
    await world.turn()
    await world.commit()
  }

  expect(world.committed.toSorted()).toEqual(identities.map(each => `${each} done`).toSorted())
  expect(identities.map(each => world.sink.dots(each))).toEqual(identities.map(() => 1))
})

test('those that expire together end a few at a time', async () => {
  const world = await withLargeRequests(1000)
  await world.restart()
  for (const permit of [1, 2, 3, 4])
    world.slots.begin({ priority: permit, parties: [] }, 8 * mebibyte)
  world.clock.advance(2000)
  const most = watchReads(world)

  for (let turn = 0; turn < 60 && world.committed.length < count; turn += 1) {
    await world.turn()
    await world.commit()
  }

  expect(world.committed).toHaveLength(count)
  expect(most.ofKeys).toBe(2)
})
