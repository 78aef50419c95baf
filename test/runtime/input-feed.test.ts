import { beforeEach, expect, test } from 'vitest'
import { InputFeed } from '../../src/runtime/input-feed.ts'
import type { OwnedTasks } from '../../src/runtime/owned-tasks.ts'
import type { ConsumedRecord, FetchedBatch } from '../../src/runtime/ports.ts'
import { TaskWorld } from './task-world.ts'

const mebibyte = 1024 * 1024
const at = { topic: 'in', partition: 0 }

let world: TaskWorld
let feed: InputFeed
/** Handed out by the next polls. */
let fetched: FetchedBatch[]
let paused: boolean

beforeEach(async () => {
  world = await TaskWorld.running()
  fetched = []
  paused = false
  const fetcher = {
    assign: () => undefined,
    unassign: () => undefined,
    pause: () => (paused = true),
    resume: () => (paused = false),
    poll: () => fetched.splice(0, 1),
    onReady: () => undefined,
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  const { task, processing } = world
  const owned = { running: [{ task, processing, restore: undefined }], readerOf: () => task }
  feed = new InputFeed(fetcher, owned as unknown as OwnedTasks)
})

function batch(offset: number, bytes: number, count = 1): FetchedBatch {
  const nextOffset = offset + count
  const records = Array.from({ length: count }, (_, index): ConsumedRecord => ({
    ...at,
    offset: offset + index,
    timestampMs: 0,
    key: null,
    value: Buffer.alloc(bytes),
    headers: [],
  }))
  return { ...at, records, nextOffset, highWatermark: nextOffset, logStartOffset: 0 }
}

/** A turn in which the cycle takes nothing. */
function turn(): Promise<unknown> {
  return world.simulation.settle(feed.process(1, () => true))
}

test('a few large records that wait are enough: the rest stays with the broker', async () => {
  fetched = Array.from({ length: 9 }, (_, offset) => batch(offset, 6 * mebibyte))

  for (let turns = 0; turns < 9; turns += 1) await turn()

  expect(world.task.queuedRecords).toBe(3)
})

test('the partition they come from is paused, until they are through', async () => {
  fetched = [batch(0, 5 * mebibyte)]
  await turn()
  const whileEmpty = paused
  await turn()
  const whileThere = paused

  world.task.queues.get('in')!.take(1)
  await turn()

  expect([whileEmpty, whileThere, paused]).toEqual([false, true, false])
})

const manyBatches = () => Array.from({ length: 9 }, (_, index) => batch(index * 1000, 1, 1000))

test('some records more than are processed at a time wait, so that they are used while they are young', async () => {
  fetched = manyBatches()

  for (let turns = 0; turns < 9; turns += 1) await turn()

  expect(world.task.queuedRecords).toBe(2000)
})

test('what waits for room in an effect does not keep commands from coming', async () => {
  world.task.engines.set('mail', { isFull: true } as never)
  fetched = manyBatches()

  for (let turns = 0; turns < 9; turns += 1) await turn()

  expect(fetched).toEqual([])
})

test('what waits for a schema holds up nobody else', async () => {
  world.task.queues.get('in')!.parked = true
  fetched = Array.from({ length: 9 }, (_, offset) => batch(offset, 6 * mebibyte))

  for (let turns = 0; turns < 9; turns += 1) await turn()

  expect(fetched).toEqual([])
  expect(paused).toBe(true)
})
