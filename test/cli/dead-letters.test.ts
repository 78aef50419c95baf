import { beforeEach, expect, test } from 'vitest'
import {
  deadLetterOf,
  parseDeadLetterId,
  readRecord,
  readTopic,
} from '../../src/cli/dead-letters.ts'
import { type ReplayOptions, replayDeadLetter } from '../../src/cli/replay-dead-letter.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { deadLetter } from '../../src/runtime/dead-letter.ts'
import type { ConsumedRecord, KafkaCluster } from '../../src/runtime/ports.ts'
import { Simulation } from '../../src/testing/simulation.ts'

const received: ConsumedRecord = {
  topic: topicNames.requested,
  partition: 3,
  offset: 41,
  timestampMs: 1,
  key: null,
  value: Buffer.from([0, 1, 2]),
  // A record may have such headers of its own.
  headers: [
    { key: 'source.topic', value: Buffer.from('mine') },
    { key: 'traceparent', value: Buffer.from('t') },
    { key: 'empty', value: null },
  ],
}
const reason = { code: 'RECORD_UNDECODABLE', message: 'why: ö' }
const letter = deadLetter(topicNames.deadLetter, 2, received, reason, 77)

let world: Simulation
let cluster: KafkaCluster
let record: ConsumedRecord

beforeEach(async () => {
  world = newWorld(1)
  cluster = world.connect(world.startProcess('person'))
  record = (await world.settle(readRecord(cluster, { ...letter, offset: 0 })))!
})

function newWorld(seed: number): Simulation {
  const created = new Simulation({ seed })
  for (const [name, partitions] of [
    [topicNames.requested, 4],
    [topicNames.deadLetter, 2],
  ] as const)
    created.broker.createTopic({ name, partitions, configs: {} })
  created.broker.append([letter])
  return created
}

function replay(changes: Partial<ReplayOptions> = {}): Promise<void> {
  return replayDeadLetter({
    cluster,
    applicationId: 'app',
    record,
    letter: deadLetterOf(record)!,
    by: 'ann',
    again: false,
    nowMs: 1000,
    ...changes,
  })
}

async function replayed(): Promise<readonly ConsumedRecord[]> {
  const description = (await cluster.admin.describeTopics([topicNames.requested])).get(
    topicNames.requested,
  )
  return readTopic(cluster, description!)
}

test('a dead letter is taken apart into what was received and why it is here', () => {
  expect(deadLetterOf(record)).toEqual({
    source: { topic: topicNames.requested, partition: 3, offset: 41 },
    code: 'RECORD_UNDECODABLE',
    message: 'why: ö',
    failedAtMs: 77,
    headers: received.headers,
  })
})

test.each([
  { what: 'without the headers of one', headers: [] },
  { what: 'with too few of them', headers: letter.headers.slice(-5) },
  { what: 'with others behind them', headers: [...letter.headers, { key: 'x', value: null }] },
])('a record $what is no dead letter', ({ headers }) => {
  expect(deadLetterOf({ ...record, headers })).toBeUndefined()
})

test('it is written again as it was received, where it stood, with a link', async () => {
  await world.settle(replay())

  const [again, ...more] = await world.settle(replayed())
  expect(more).toEqual([])
  expect(again).toMatchObject({ partition: 3, key: null, value: received.value })
  expect(again?.headers).toEqual([
    ...received.headers,
    { key: 'replayed.from', value: Buffer.from('email.dead-letter/1/0') },
  ])
})

test('a second replay is refused and says of the first, unless it is wanted', async () => {
  await world.settle(replay())

  await expect(world.settle(replay({ by: 'bob' }))).rejects.toMatchObject({
    code: 'DECISION_REFUSED',
    message: expect.stringContaining('1/0 was replayed by ann at 1970-01-01T00:00:01') as string,
  })
  expect(await world.settle(replayed())).toHaveLength(1)
  await world.settle(replay({ again: true }))
  expect(await world.settle(replayed())).toHaveLength(2)
})

test('another dead letter is not meant by the note of the first', async () => {
  world.broker.append([letter])
  await world.settle(replay())
  const other = await world.settle(readRecord(cluster, { ...letter, offset: 1 }))

  await world.settle(replay({ record: other! }))

  expect(await world.settle(replayed())).toHaveLength(2)
})

test('of two people who replay at the same time, one does', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    world = newWorld(seed)
    cluster = world.connect(world.startProcess('reader'))
    const both = ['ann', 'bob'].map(by =>
      replay({ by, cluster: world.connect(world.startProcess(by)) }),
    )
    const results = await world.settle(Promise.allSettled(both))

    expect(results.map(each => each.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await world.settle(replayed())).toHaveLength(1)
  }
})

test('a place without a record is none', async () => {
  expect(await world.settle(readRecord(cluster, { ...letter, offset: 9 }))).toBeUndefined()
  expect(
    await world.settle(readRecord(cluster, { ...letter, partition: 0, offset: 0 })),
  ).toBeUndefined()
})

test.each(['', '3', '3/', '-1/0', '1/2/3', 'a/b'])('%s is no dead letter', text => {
  expect(() => parseDeadLetterId(text)).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
  )
})

test('3/17 is the record 17 of partition 3', () => {
  expect(parseDeadLetterId('3/17')).toEqual({
    topic: topicNames.deadLetter,
    partition: 3,
    offset: 17,
  })
})
