import { expect, test } from 'vitest'
import type { ProducedRecord, TopicPartition } from '../../src/runtime/ports.ts'
import { positionKey } from '../../src/runtime/positions.ts'
import { changelog } from './changelog-world.ts'
import { TaskWorld } from './task-world.ts'

const positions: TopicPartition = { topic: 'app-in-positions-changelog', partition: 0 }

/** Written outside transactions: visible at once. */
function write(world: TaskWorld, at: TopicPartition, key: string, value: string): void {
  const record: ProducedRecord = {
    ...at,
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: [],
    timestampMs: 0,
  }
  world.simulation.broker.log(at).append([record], undefined)
}

function writeProcessedUpTo(world: TaskWorld, offset: number): void {
  const key = positionKey('in', world.context.catalog.describe('in').topicId)
  write(world, positions, key, String(offset))
}

/** Does something after the n-th question for ends has been answered. */
function afterEnds(world: TaskWorld, number: number, act: () => void): void {
  const { admin } = world.cluster
  const endOffsets = admin.endOffsets.bind(admin)
  let asked = 0
  admin.endOffsets = async partitions => {
    const ends = await endOffsets(partitions)
    asked += 1
    if (asked === number) act()
    return ends
  }
}

test('no record is skipped of which the store may not know: a zombie writes while the ends are asked for', async () => {
  const world = await TaskWorld.created({ reread: 'skip' })
  afterEnds(world, 1, () => {
    write(world, changelog, 'a', 'of a zombie')
    writeProcessedUpTo(world, 5)
  })

  await world.restore()

  expect(world.task.processedBelow.get('in') ?? 0).toBe(0)
})

test('no record is skipped of which the store may not know: a zombie writes while the changelogs are read', async () => {
  const world = await TaskWorld.created({ reread: 'skip' })
  writeProcessedUpTo(world, 2)
  afterEnds(world, 2, () => {
    write(world, changelog, 'a', 'of a zombie')
    writeProcessedUpTo(world, 5)
  })

  await world.restore()

  expect(world.task.processedBelow.get('in')).toBe(2)
})
