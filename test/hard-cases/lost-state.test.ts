import { describe, expect, test } from 'vitest'
import { HardWorld, type Life } from './hard-world.ts'

const seen = 'app-seen-changelog'
const outbox = 'app-outbox-changelog'

/** Three requests have ended, the instance has been stopped, and everything is committed. */
async function worldWithPast(): Promise<HardWorld> {
  const world = new HardWorld()
  const life = world.start('a')
  for (const request of ['one', 'two', 'four']) world.publish(request)
  await world.until(() => world.committed('ends').length === 3)
  await world.pass(10_000)
  await world.stop(life)
  return world
}

async function untilRefused(world: HardWorld, life: Life): Promise<string> {
  await world.until(() => life.over)
  life.process.kill()
  expect(life.failure).toMatchObject({ code: 'CHANGELOG_LOST' })
  return (life.failure as Error).message
}

/** What ended it instead; undefined is good. */
async function startedWith(world: HardWorld, life: Life): Promise<unknown> {
  await world.until(() => life.streams.isReady || life.over)
  return life.failure
}

function recreate(world: HardWorld, topic: string): void {
  world.simulation.broker.deleteTopic(topic)
  world.createTopic(topic)
}

describe.each(['a', 'elsewhere'])('on the machine %s', machine => {
  test('a changelog that is gone is refused', async () => {
    const world = await worldWithPast()
    world.simulation.broker.deleteTopic(seen)

    const reason = await untilRefused(world, world.start(machine))

    expect(reason).toMatch(/app-seen-changelog is gone.*--accept-lost-state/)
  })

  test('a changelog that was made again is refused', async () => {
    const world = await worldWithPast()
    recreate(world, seen)

    const reason = await untilRefused(world, world.start(machine))

    expect(reason).toMatch(/app-seen-changelog\/\d was deleted and made again.*--accept-lost-state/)
  })

  test('a changelog that ends earlier than the group has written is refused', async () => {
    const world = await worldWithPast()
    world.log(seen, 1).cutAt(1)

    const reason = await untilRefused(world, world.start(machine))

    expect(reason).toMatch(/app-seen-changelog\/1 ends at 1, but the group has written up to \d/)
  })

  test('an input topic that was made again is refused, even if it has grown past the position', async () => {
    const world = await worldWithPast()
    recreate(world, 'requests')
    for (let index = 0; index < 40; index += 1) world.publish(`r${index}`)

    const reason = await untilRefused(world, world.start(machine))

    expect(reason).toMatch(/requests\/\d was deleted and made again/)
  })

  test('an input topic that ends before the position is refused', async () => {
    const world = await worldWithPast()
    world.log('requests', 1).cutAt(1)

    const reason = await untilRefused(world, world.start(machine))

    expect(reason).toMatch(/requests\/1 ends at 1, but the group has read up to 2/)
  })

  test('a loss that is accepted is accepted once, and what comes then is read', async () => {
    const world = await worldWithPast()
    recreate(world, seen)
    world.log('requests', 1).cutAt(1)
    world.log('unique', 1).cutAt(1)
    const accepting = world.start(machine, { settings: { acceptLostState: true } })
    expect(await startedWith(world, accepting)).toBeUndefined()
    world.publish('new')
    await world.until(() => world.committed('ends').includes('new done'))
    await world.pass(10_000)
    await world.stop(accepting)

    expect(await startedWith(world, world.start(machine))).toBeUndefined()
    expect(await startedWith(world, world.start('third'))).toBeUndefined()
  })
})

test('of an input topic that was made again everything is read, once that is accepted', async () => {
  const world = await worldWithPast()
  recreate(world, 'requests')
  for (let index = 0; index < 10; index += 1) world.publish(`r${index}`)

  world.start('a', { settings: { acceptLostState: true } })

  await world.until(() => world.committed('ends').length === 13)
  expect(world.relay.taken.size).toBe(13)
})

test('a disk that is ahead of its changelog is refused where the commits remember nothing', async () => {
  const world = await worldWithPast()
  world.log(seen, 1).cutAt(1)
  forgetMetadata(world)

  const reason = await untilRefused(world, world.start('a'))

  expect(reason).toMatch(/seen-changelog\/1 ends at 1, but the store on this disk has read up to/)
})

test('a disk of another cluster is refused by a group without a past', async () => {
  const world = await worldWithPast()
  const fresh = new HardWorld(8)
  const life = fresh.start('a', { machineOf: world })

  const reason = await untilRefused(fresh, life)

  expect(reason).toMatch(/is not the topic that the store on this disk was written with/)
})

describe('no alarm', () => {
  test('for a start without a past, and a second machine with an empty disk', async () => {
    const world = new HardWorld()

    expect(await startedWith(world, world.start('a'))).toBeUndefined()
    expect(await startedWith(world, world.start('b'))).toBeUndefined()
  })

  test('for an input that is idle, compacted changelogs, and an empty disk', async () => {
    const world = await worldWithPast()
    await world.pass(3_600_000)
    for (const name of [seen, outbox]) for (const at of [0, 1]) world.log(name, at).compact('drop')

    expect(await startedWith(world, world.start('elsewhere'))).toBeUndefined()
    expect(await startedWith(world, world.start('a'))).toBeUndefined()
  })

  test('for a changelog into which nothing was ever written', async () => {
    const world = new HardWorld()
    const first = world.start('a')
    world.publishNull()
    await world.until(() => world.committed('dead-letters').length === 1)
    await world.pass(10_000)
    await world.stop(first)
    expect(world.committed(seen)).toEqual([])

    expect(await startedWith(world, world.start('elsewhere'))).toBeUndefined()
  })

  test('for offsets that a tool has set', async () => {
    const world = await worldWithPast()
    forgetMetadata(world)

    expect(await startedWith(world, world.start('elsewhere'))).toBeUndefined()
  })

  test('for an old disk, when the group has gone on with other changelogs since', async () => {
    const world = await worldWithPast()
    recreate(world, seen)
    const accepting = world.start('b', { settings: { acceptLostState: true } })
    expect(await startedWith(world, accepting)).toBeUndefined()
    await world.pass(10_000)
    await world.stop(accepting)

    expect(await startedWith(world, world.start('a'))).toBeUndefined()
  })
})

/** As `kafka-consumer-groups --reset-offsets` leaves them: the positions without what the commits wrote beside them. */
function forgetMetadata(world: HardWorld): void {
  const { offsets } = world.simulation.broker.group('app')
  const sources = ['requests', 'unique', 'app-act-commands'].flatMap(topic =>
    [0, 1].map(partition => ({ topic, partition })),
  )
  const known = offsets.stable(sources) ?? new Map()
  for (const at of sources) {
    const committed = known.get(`${at.topic}/${at.partition}`)
    if (committed) offsets.set([{ ...at, offset: committed.offset, metadata: '' }])
  }
}
