import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { StreamsError } from '../../src/errors.ts'
import { Standby } from '../../src/runtime/standby.ts'
import { StandbyTasks } from '../../src/runtime/standby-tasks.ts'
import { Task } from '../../src/runtime/task.ts'
import { restoreFetch } from '../../src/runtime/task-store.ts'
import { restoreTask } from '../../src/runtime/restore.ts'
import type { StoreBackend } from '../../src/state/store.ts'
import { changelog, entry, transaction, watchReads } from './changelog-world.ts'
import { TaskWorld, words } from './task-world.ts'

const acceptableLag = 3
const task = 'in_0'
const asStandby = { standbys: [task], warmUps: [] }
const asWarmUp = { standbys: [task], warmUps: [task] }

let world: TaskWorld
let copies: StandbyTasks
beforeEach(async () => {
  world = await TaskWorld.created()
  copies = new StandbyTasks(world.context, acceptableLag)
})
afterEach(() => world.simulation.settle(copies.close()))

const pass = (withinMs: number): Promise<unknown> => world.simulation.run({ withinMs })
const follow = (work: Parameters<StandbyTasks['follow']>[0]): Promise<void> =>
  world.simulation.settle(copies.follow(work))

const openBackend = (): Promise<StoreBackend> =>
  world.simulation.settle(world.context.stateDirectory.open(task, words))

/** What is on the disk of a copy that has been given back. */
async function onDisk(key: string): Promise<string | undefined> {
  const stores = await world.simulation.settle(copies.release(task))
  const [value] = await world.simulation.settle(stores!.get(words.name)!.backend.getMany([key]))
  await stores!.get(words.name)!.backend.close()
  return value?.toString()
}

test('a copy follows what is committed, and forgets what is deleted', async () => {
  await transaction(world, [entry('a', 'old'), entry('b', 'gone')], 'commit')
  await follow(asStandby)
  await pass(2000)

  await transaction(world, [entry('a', 'new'), entry('b', null)], 'commit')
  await transaction(world, [entry('a', 'aborted')], 'abort')
  await transaction(world, [entry('a', 'open')], 'open')
  await pass(2000)

  expect(copies.lags.get(task)).toBeLessThanOrEqual(1)
  expect(await onDisk('a')).toBe('new')
})

test('a task that takes a copy over reads on where the copy is', async () => {
  await transaction(world, [entry('a', '1'), entry('b', '2')], 'commit')
  await follow(asStandby)
  await pass(2000)
  const position = copies.positions[task]!
  await transaction(world, [entry('a', '3')], 'commit')
  await pass(500)
  const reads = watchReads(world)

  const stores = await world.simulation.settle(copies.release(task))
  await transaction(world, [entry('b', '4')], 'commit')
  const promoted = new Task(world.context, world.topology.subTopologies[0]!, 0)
  promoted.adopt(stores!)
  promoted.moveTo('restoring')
  await world.simulation.settle(restoreTask(promoted))

  const { backend } = promoted.stores.get(words.name)!
  const values = await world.simulation.settle(backend.getMany(['a', 'b']))
  expect(values.map(String)).toEqual(['3', '4'])
  expect(reads.every(offset => offset > position)).toBe(true)
  expect(copies.positions).toEqual({})
  await world.simulation.settle(promoted.closeStores())
})

test('a hand-over is asked for when every warm-up is near its end, and not for other copies', async () => {
  await transaction(world, [entry('a', '1')], 'commit')
  await follow(asStandby)
  await pass(2000)
  const asCopy = copies.isHandOverDue

  await follow(asWarmUp)
  const asCaughtUp = copies.isHandOverDue

  expect([asCopy, asCaughtUp]).toEqual([false, true])
})

test('a warm-up that is far behind is waited for', async () => {
  await follow(asWarmUp)
  const beforeItIsOpen = copies.isHandOverDue
  await pass(100)

  expect(beforeItIsOpen).toBe(false)
  expect(copies.isHandOverDue).toBe(true)
})

test('a hand-over that did not take place is asked for again ten seconds later', async () => {
  await follow(asWarmUp)
  await pass(100)
  await follow(asWarmUp)
  const atOnce = copies.isHandOverDue
  await pass(10_001)

  expect([atOnce, copies.isHandOverDue]).toEqual([false, true])
})

test('a disk that is ahead of its changelog is a proof, and is left as it is', async () => {
  const { simulation, context } = world
  const backend = await openBackend()
  const { topicId } = context.catalog.describe(changelog.topic)
  const kept = { key: 'a', value: Buffer.from('kept') }
  await simulation.settle(backend.apply([kept], { topicId, offset: 100, atMs: 0 }))
  await simulation.settle(backend.close())

  await follow(asStandby)
  await transaction(world, [entry('a', 'new')], 'commit')
  await pass(2000)

  expect(copies.positions[task]).toBe(100)
  expect(await onDisk('a')).toBe('kept')
})

test('a copy whose changelog was cut goes on from where that begins', async () => {
  await transaction(world, [entry('a', '1')], 'commit')
  await follow(asStandby)
  await pass(2000)
  await follow({ standbys: [], warmUps: [] })

  await transaction(world, [entry('a', '2'), entry('b', '3')], 'commit')
  world.simulation.broker.log(changelog).deleteBefore(3)
  await follow(asStandby)
  await pass(2000)

  expect(await onDisk('b')).toBe('3')
})

test.each([words.name, 'in-positions'])(
  'a copy is given away when all of its stores are written that are being written, last but %s',
  async first => {
    const two = await TaskWorld.created({ reread: 'skip' })
    const { simulation, context, topology } = two
    const writes = holdWrites(two)
    const standby = new Standby(context, task, topology.subTopologies[0]!, 0)
    const fetcher = two.cluster.createFetcher(restoreFetch)
    await simulation.settle(standby.open(fetcher))
    const applied = ['app-words-changelog', 'app-in-positions-changelog'].map(topic =>
      standby.apply({ ...changelog, topic, ...oneRecord }),
    )
    await simulation.run({ withinMs: 100 })

    let isReleased = false
    const released = standby.release(fetcher).then(stores => {
      isReleased = true
      return stores
    })
    writes.get(first)?.()
    await simulation.run({ withinMs: 100 })
    const before = isReleased
    for (const letGo of writes.values()) letGo()
    const stores = await simulation.settle(released)

    expect([writes.size, before]).toEqual([2, false])
    expect([...stores.values()].map(({ position }) => position)).toEqual([1, 1])
    await simulation.settle(Promise.all(applied))
    for (const { backend } of stores.values()) await simulation.settle(backend.close())
    await simulation.settle(fetcher.close())
  },
)

const oneRecord = {
  records: [
    { ...changelog, offset: 0, timestampMs: 0, key: Buffer.from('a'), value: null, headers: [] },
  ],
  nextOffset: 1,
  highWatermark: 1,
  logStartOffset: 0,
}

/** Writes into stores wait until they are let go, by the name of their store. */
function holdWrites({ context }: TaskWorld): ReadonlyMap<string, () => void> {
  const { stateDirectory } = context
  const waiting = new Map<string, () => void>()
  const open = stateDirectory.open.bind(stateDirectory)
  stateDirectory.open = async (id, definition) => {
    const backend = await open(id, definition)
    const apply = backend.apply.bind(backend)
    backend.apply = async (...write) => {
      await new Promise<void>(resolve => waiting.set(definition.name, resolve))
      await apply(...write)
    }
    return backend
  }
  return waiting
}

test('a copy whose files cannot be given up is a failure of the instance, which can still be closed', async () => {
  await follow(asStandby)
  await pass(2000)
  const close = vi.spyOn(Standby.prototype, 'close')
  close.mockImplementationOnce(async function (this: Standby, fetcher) {
    for (const { backend } of (await this.release(fetcher)).values()) await backend.close()
    throw new StreamsError('DISK_FULL', 'no room to rename it')
  })
  onTestFinished(() => close.mockRestore())
  world.disk.full = true
  await transaction(world, [entry('a', '1')], 'commit')
  await pass(3000)

  const closed = world.simulation.settle(copies.close())

  await expect(closed).resolves.toBeUndefined()
  expect(() => copies.isHandOverDue).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
})

test('what is no longer wanted is closed', async () => {
  await follow(asStandby)
  await pass(100)

  await follow({ standbys: [], warmUps: [] })
  const backend = await openBackend()

  expect(copies.lags.size).toBe(0)
  await world.simulation.settle(backend.close())
})
