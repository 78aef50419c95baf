import { beforeEach, describe, expect, test } from 'vitest'
import { StreamsError } from '../../src/errors.ts'
import { commitAtLeastOnce } from '../../src/runtime/commit-at-least-once.ts'
import { applyToDisk } from '../../src/runtime/commit-cycle.ts'
import type {
  GroupGeneration,
  IdempotentProducer,
  OffsetToCommit,
  ProducedRecord,
  TopicPartition,
} from '../../src/runtime/ports.ts'
import { positionKey } from '../../src/runtime/positions.ts'
import { changelog, entry } from './changelog-world.ts'
import { TaskWorld, words } from './task-world.ts'

const generation = { groupId: 'app', memberId: 'm', generationId: 7, groupInstanceId: null }
const positions: TopicPartition = { topic: 'app-in-positions-changelog', partition: 0 }

let world: TaskWorld
let producer: IdempotentProducer
/** What the group is told, oldest first. */
let committed: OffsetToCommit[]
let isMember: boolean

beforeEach(async () => {
  world = await TaskWorld.running({
    reread: 'skip',
    process: ({ value }, context) => context.store(words).put(value, 'ours'),
  })
  producer = world.cluster.createIdempotentProducer({
    transactionalId: 'a',
    transactionTimeoutMs: 10_000,
  })
  await world.simulation.settle(producer.init())
  committed = []
  isMember = true
  producer.commitOffsets = (offsets, { generationId }: GroupGeneration) => {
    if (!isMember)
      return Promise.reject(new StreamsError('GROUP_FENCED', `generation ${generationId}`))
    committed.push(...offsets)
    world.simulation.broker.group('app').offsets.set(offsets)
    return Promise.resolve()
  }
})

async function commit(value: string): Promise<void> {
  const offset = world.task.queues.get('in')!.position
  stranger({ ...entry('key', value), topic: 'in' })
  world.feed([value], offset)
  await world.processAll()
  const { simulation, task } = world
  const frozen = task.freeze('life:1')
  const cycle = {
    cycle: world.cycle,
    atMs: 0,
    tasks: [frozen],
    offsets: frozen.offsets,
    generation,
  }
  const ranges = await simulation.settle(commitAtLeastOnce(producer, cycle))
  await simulation.settle(applyToDisk(cycle, ranges))
  task.retire()
}

function stranger(...records: readonly ProducedRecord[]): void {
  for (const record of records) world.simulation.broker.log(record).append([record], undefined)
}

function processed(offset: number): ProducedRecord {
  const key = positionKey('in', world.context.catalog.describe('in').topicId)
  return { ...entry(key, String(offset)), ...positions }
}

describe('what somebody else wrote to a changelog', () => {
  test('is written over with what this instance knows, before its next position', async () => {
    await commit('a')
    stranger(entry('a', 'theirs'), entry('z', 'theirs'), entry('b', 'theirs'), processed(9))

    await commit('b')
    await world.restart({ withDisk: false })

    expect([await world.stored('a'), await world.stored('b')]).toEqual(['ours', 'ours'])
    expect(await world.stored('z')).toBeUndefined()
    expect(world.task.processedBelow.get('in')).toBe(2)
  })

  test('a position of theirs that is not among those of this instance is taken back', async () => {
    stranger({ ...processed(9), key: Buffer.from(positionKey('other', 'id')) })

    await commit('b')
    await world.restart({ withDisk: false })

    const { backend } = world.task.stores.get('in-positions')!
    const [value] = await world.simulation.settle(backend.getMany([positionKey('other', 'id')]))
    expect(value).toBeUndefined()
  })

  test('is left alone where it says the same: nothing is written twice', async () => {
    await commit('a')
    stranger(entry('a', 'ours'))

    await commit('b')

    expect(world.simulation.broker.log(changelog).endOffset).toBe(3)
    await commit('c')
    expect(world.simulation.broker.log(changelog).endOffset).toBe(4)
  })

  test('is left alone by who is no longer in the group: the others are the owners', async () => {
    await commit('a')
    stranger(entry('a', 'theirs'))
    isMember = false

    await expect(commit('b')).rejects.toMatchObject({ code: 'GROUP_FENCED' })

    await world.restart({ withDisk: false })
    expect(await world.stored('a')).toBe('theirs')
  })

  test('fails the cycle when it goes on', async () => {
    await commit('a')
    const send = producer.sendGathered.bind(producer)
    let count = 0
    producer.sendGathered = gathered => {
      stranger(entry(`z ${(count += 1)}`, 'theirs'))
      return send(gathered)
    }
    const before = committed.length

    await expect(commit('b')).rejects.toMatchObject({ code: 'CHANGELOG_DISTURBED' })

    expect(committed.slice(before).map(each => each.offset)).toEqual([1])
  })
})
