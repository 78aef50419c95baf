import { beforeEach, expect, test } from 'vitest'
import { commitAtLeastOnce, inSafeOrder } from '../../src/runtime/commit-at-least-once.ts'
import type { FrozenCycle } from '../../src/runtime/commit-cycle.ts'
import type {
  GatheredRecords,
  GroupGeneration,
  IdempotentProducer,
  OffsetToCommit,
  ProducedRange,
  ProducedRecord,
} from '../../src/runtime/ports.ts'
import { partitionKey } from '../../src/runtime/ports.ts'
import { RecordList } from '../../src/runtime/record-list.ts'
import { type Text, type TextContext, TaskWorld, words } from './task-world.ts'

const generation = { groupId: 'app', memberId: 'm', generationId: 7, groupInstanceId: null }

/** Writes down what becomes visible, in order; everybody else's records stand where the test puts them. */
class VisibleWrites implements IdempotentProducer {
  readonly lines: string[] = []
  /** Where the next record of a partition comes to stand, and how many of somebody else come behind each of ours. */
  readonly ends = new Map<string, number>()
  gap = 0

  async send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    await Promise.resolve()
    for (const { topic, key, value } of records)
      this.lines.push(`${topic} ${String(key).split('|')[0]}${value === null ? ' deleted' : ''}`)
    return [...Map.groupBy(records, partitionKey)].map(([key, [first, ...more]]) => {
      const firstOffset = this.ends.get(key) ?? 0
      const lastOffset = firstOffset + more.length * (1 + this.gap)
      return { topic: first!.topic, partition: first!.partition, firstOffset, lastOffset }
    })
  }

  async commitOffsets(
    offsets: readonly OffsetToCommit[],
    { generationId }: GroupGeneration,
  ): Promise<void> {
    await Promise.resolve()
    for (const { topic, offset } of offsets)
      this.lines.push(`offset ${offset} of ${topic} in generation ${generationId}`)
  }

  init = (): Promise<void> => Promise.resolve()
  close = (): Promise<void> => Promise.resolve()
  gather = (): GatheredRecords => new RecordList()
  sendGathered = (gathered: GatheredRecords): Promise<readonly ProducedRange[]> =>
    this.send((gathered as RecordList).records);
  [Symbol.asyncDispose] = (): Promise<void> => Promise.resolve()
}

let world: TaskWorld
let producer: VisibleWrites

function rename(record: Text, context: TextContext): void {
  context.store(words).delete(`old ${record.value}`)
  context.store(words).put(`new ${record.value}`, 'moved')
  context.forward(record)
}

beforeEach(async () => {
  producer = new VisibleWrites()
  world = await TaskWorld.running({ process: rename, reread: 'skip' })
})

async function frozen(...values: readonly string[]): Promise<FrozenCycle> {
  world.feed(values)
  await world.processAll()
  const task = world.task.freeze('life:1')
  return { cycle: world.cycle, atMs: 0, tasks: [task], offsets: task.offsets, generation }
}

test('outputs are visible before what the store knows of them, then the processed position, then the offset', async () => {
  await commitAtLeastOnce(producer, await frozen('a', 'b'))

  expect(producer.lines).toEqual([
    'out key',
    'out key',
    'app-words-changelog new a',
    'app-words-changelog new b',
    'app-words-changelog old a deleted',
    'app-words-changelog old b deleted',
    'app-in-positions-changelog in',
    'offset 2 of in in generation 7',
  ])
})

test.each([
  { rule: 'somebody else wrote before ours', disturb: () => producer.ends.set(changelog, 3) },
  { rule: 'somebody else wrote between ours', disturb: () => (producer.gap = 1) },
])('no offset is committed where $rule', async ({ disturb }) => {
  disturb()

  const commit = commitAtLeastOnce(producer, await frozen('a'))

  await expect(commit).rejects.toMatchObject({ code: 'CHANGELOG_DISTURBED' })
  expect(producer.lines.filter(each => each.startsWith('offset'))).toEqual([])
})

test('a store that goes on where it ended is not disturbed', async () => {
  world.task.stores.get(words.name)!.position = 3
  producer.ends.set(changelog, 3)

  await commitAtLeastOnce(producer, await frozen('a'))

  expect(producer.lines.at(-1)).toBe('offset 1 of in in generation 7')
})

test('an entry that speaks of the others comes behind them, and before deletions', () => {
  const value = Buffer.from('x')
  const writes = [
    { key: 'sum', value },
    { key: 'gone', value: null },
    { key: 'a', value },
  ]

  const keys = inSafeOrder(writes, { writtenLast: 'sum' }).map(each => each.key)

  expect(keys).toEqual(['a', 'sum', 'gone'])
})

const changelog = 'app-words-changelog/0'
