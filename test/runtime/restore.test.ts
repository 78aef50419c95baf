import { expect, test } from 'vitest'
import type { TopicPartition } from '../../src/runtime/ports.ts'
import { restoreTask } from '../../src/runtime/restore.ts'
import { changelog, entry, transaction, watchReads } from './changelog-world.ts'
import { TaskWorld, words } from './task-world.ts'

const input: TopicPartition = { topic: 'in', partition: 0 }

async function read(world: TaskWorld, ...keys: readonly string[]): Promise<unknown[]> {
  const values: unknown[] = []
  for (const key of keys) values.push(await world.stored(key))
  return values
}

test('an empty disk gets what is committed: the last value of each key, without what was deleted', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', 'old'), entry('b', 'gone')], 'commit')
  await transaction(world, [entry('a', 'new'), entry('b', null)], 'commit')

  await world.restore()

  expect(await read(world, 'a', 'b')).toEqual(['new', undefined])
})

test('nothing of an aborted transaction is restored, and its tail is not waited for', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', 'committed')], 'commit')
  await transaction(world, [entry('a', 'aborted'), entry('b', 'aborted')], 'abort')

  await world.restore()

  expect(await read(world, 'a', 'b')).toEqual(['committed', undefined])
  expect(world.task.stores.get(words.name)?.position).toBe(
    world.simulation.broker.log(changelog).endOffset,
  )
})

test('a transaction that is still open is waited for, however it ends', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', 'open')], 'open')

  await world.restore()

  expect(await read(world, 'a')).toEqual([undefined])
  expect(world.simulation.clock.monotonicMs()).toBeGreaterThan(9000)
})

test('a disk that has a part of it reads the tail alone', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', '1')], 'commit')
  await world.restore()
  const end = world.simulation.broker.log(changelog).endOffset
  await transaction(world, [entry('b', '2')], 'commit')

  const offsets = watchReads(world)
  await world.restart()

  expect(offsets).toEqual([end])
  expect(await read(world, 'a', 'b')).toEqual(['1', '2'])
})

test('what is replayed is counted, and told as long as it lasts', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', '1'), entry('b', '2')], 'commit')
  await transaction(world, [entry('c', '3')], 'open')
  world.task.moveTo('restoring')
  const restored = restoreTask(world.task)

  await world.simulation.run({ withinMs: 1000 })
  const { restores, metrics } = world.context
  const during = restores.state
  await world.simulation.settle(restored)

  const labels = { task: world.task.id, store: words.name }
  expect(during).toMatchObject({ records: 2, share: 0.75 })
  expect(restores.state).toBeUndefined()
  expect(metrics.stores.restored.labels(labels).value).toBe(2)
  expect(metrics.stores.restoreRemaining.labels(labels).value).toBe(0)
})

test('a disk that is up to date reads nothing', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', '1')], 'commit')
  await world.restore()

  const offsets = watchReads(world)
  await world.restart()

  expect(offsets).toEqual([])
})

test('a store that cannot be read is deleted and restored', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', '1')], 'commit')
  await world.restore()
  world.disk.corrupt(world.task.id, words.name)

  await world.restart()

  expect(await read(world, 'a')).toEqual(['1'])
})

test('a group without offsets begins where the log begins', async () => {
  const world = await TaskWorld.created()

  await world.restore()

  expect(world.task.queues.get('in')?.position).toBe(0)
})

test('a failed cycle brings the task back to what is committed', async () => {
  const world = await TaskWorld.created({
    process: (record, context) => context.store(words).put(record.value, 'said'),
  })
  await transaction(world, [entry('a', '1')], 'commit')
  await world.restore()
  world.feed(['b'])
  await world.processAll()

  world.task.fail()
  await world.restore()

  expect(world.task.hasWrites).toBe(false)
  expect(world.task.queues.get('in')?.position).toBe(0)
  expect(await read(world, 'a', 'b')).toEqual(['1', undefined])
})

test('a task that is to leave stops restoring', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', '1')], 'open')
  world.task.moveTo('restoring')
  const restored = restoreTask(world.task)

  await world.simulation.run({ withinMs: 1000 })
  world.task.leaving.abort()
  await world.simulation.settle(restored)

  expect(world.task.queues.size).toBe(0)
})

// ---------------------------------------------------------------- positions

/** Sets the group's offset, as a tool of an operator does. */
function setOffset(world: TaskWorld, offset: number): void {
  world.simulation.broker.group('app').offsets.set([{ ...input, offset, metadata: '' }])
}

/** Puts as many values into the source. */
function publish(world: TaskWorld, values: readonly string[]): void {
  world.simulation.broker.append(
    values.map(value => ({
      ...input,
      key: null,
      value: Buffer.from(value),
      headers: [],
      timestampMs: 0,
    })),
  )
}

test.each([
  { reread: 'skip' as const, said: ['d'] },
  { reread: 'process' as const, said: ['a', 'b', 'c', 'd'] },
])('offsets set back: what was processed is read again: $reread', async ({ reread, said }) => {
  const values = ['a', 'b', 'c']
  const world = await TaskWorld.running({ reread })
  publish(world, [...values, 'd'])
  world.feed(values)
  await world.processAll()
  await world.commit()
  setOffset(world, 0)

  await world.restart()
  world.feed([...values, 'd'])
  await world.processAll()

  expect(world.produced('out')).toEqual(said)
})

test('offsets set back: what was processed is read again, and its processor is told: mark', async () => {
  const world = await TaskWorld.running({
    reread: 'mark',
    process: (record, context) => {
      const value = `${record.value} ${context.origin?.isReread ?? 'new'}`
      context.forward({ ...record, value })
    },
  })
  publish(world, ['a', 'b', 'c'])
  world.feed(['a', 'b'])
  await world.processAll()
  await world.commit()
  setOffset(world, 1)

  await world.restart()
  world.feed(['b', 'c'], 1)
  await world.processAll()

  expect(world.produced('out')).toEqual(['b true', 'c new'])
})

test('of a batch that was processed in part exactly the part is skipped', async () => {
  const world = await TaskWorld.running({ reread: 'skip' })
  publish(world, ['a', 'b', 'c', 'd'])
  world.feed(['a', 'b', 'c', 'd'])
  await world.simulation.settle(world.processSome(3))
  await world.commit()
  setOffset(world, 1)

  await world.restart()
  world.feed(['b', 'c', 'd'], 1)
  await world.processAll()

  expect(world.produced('out')).toEqual(['d'])
})

test('what is skipped does not set the position back either', async () => {
  const world = await TaskWorld.running({ reread: 'skip' })
  publish(world, ['a', 'b', 'c'])
  world.feed(['a', 'b', 'c'])
  await world.processAll()
  await world.commit()
  setOffset(world, 0)
  await world.restart()
  world.feed(['a'])
  await world.processAll()
  await world.commit()
  setOffset(world, 0)

  await world.restart()
  world.feed(['a', 'b', 'c'])
  await world.processAll()

  expect(world.produced('out')).toEqual([])
})

test('the position is kept by the changelog: an empty disk knows it too', async () => {
  const world = await TaskWorld.running({ reread: 'skip' })
  publish(world, ['a', 'b'])
  world.feed(['a'])
  await world.processAll()
  await world.commit()
  setOffset(world, 0)

  await world.restart({ withDisk: false })
  world.feed(['a', 'b'])
  await world.processAll()

  expect(world.produced('out')).toEqual(['b'])
})

test('a disk that was away for longer than tombstones are kept is restored from scratch', async () => {
  const world = await TaskWorld.created()
  await transaction(world, [entry('a', 'open'), entry('b', 'stays')], 'commit')
  await world.restore()
  await transaction(world, [entry('a', null)], 'commit')
  await transaction(world, [entry('c', 'new')], 'commit')
  world.simulation.broker.log(changelog).compact('drop')

  world.simulation.clock.advance(25 * 3_600_000)
  await world.restore()

  expect(await read(world, 'a', 'b', 'c')).toEqual([undefined, 'stays', 'new'])
})
