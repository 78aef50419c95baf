import { describe, expect, test } from 'vitest'
import type { FetchedBatch } from '../../src/runtime/ports.ts'
import { fetcherOptions, producerOf, readFrom, recordOf, requests, worldWith } from './world.ts'

const second = { topic: 'requests', partition: 1 }

function reading(options: Parameters<typeof worldWith>[0] = {}) {
  const world = worldWith(options)
  const fetcher = world.connect(world.startProcess('reader')).createFetcher(fetcherOptions)
  const values = (batches: FetchedBatch[]) =>
    batches.flatMap(batch => batch.records.map(record => String(record.value)))
  return { world, fetcher, values }
}

describe('a fetcher in memory', () => {
  test('hands out what is buffered, once, and tells when there is more', async () => {
    const { world, fetcher, values } = reading()
    let calls = 0
    fetcher.onReady(() => (calls += 1))

    fetcher.assign(requests, 0)
    await world.run()
    const empty = fetcher.poll()
    world.broker.append([recordOf('1'), recordOf('2')])
    await world.run()
    const [first, nothing] = [fetcher.poll(), fetcher.poll()]

    expect(empty).toEqual([])
    expect(calls).toBe(1)
    expect(first).toMatchObject([{ nextOffset: 2, highWatermark: 2, logStartOffset: 0 }])
    expect(values(first)).toEqual(['1', '2'])
    expect(nothing).toEqual([])
  })

  test('moves on over what nobody may see', async () => {
    const { world, fetcher } = reading()
    const producer = await producerOf(world, world.connect(world.startProcess('writer')))
    await world.settle(producer.send([recordOf('1')]))
    await world.settle(producer.abort())

    fetcher.assign(requests, 0)
    await world.run()

    expect(fetcher.poll()).toMatchObject([{ records: [], nextOffset: 2 }])
  })

  test('hands out nothing of a paused or unassigned partition, and goes on where it was', async () => {
    const { world, fetcher, values } = reading()
    world.broker.append([recordOf('1'), recordOf('x', second)])
    fetcher.assign(requests, 0)
    fetcher.assign(second, 0)
    let calls = 0
    fetcher.onReady(() => (calls += 1))
    fetcher.pause(requests)
    fetcher.unassign(second)
    await world.run()
    const hidden = [...fetcher.poll(), calls]

    fetcher.resume(requests)
    await world.run()

    expect(hidden).toEqual([0])
    expect(calls).toBe(1)
    expect(values(fetcher.poll())).toEqual(['1'])
  })

  test('fetches once, however often it is paused and resumed meanwhile', async () => {
    const { world, fetcher } = reading()
    world.broker.append([recordOf('1')])
    let calls = 0
    fetcher.onReady(() => (calls += 1))
    fetcher.assign(requests, 0)
    fetcher.pause(requests)
    fetcher.resume(requests)
    await world.run()

    expect(calls).toBe(1)
  })

  test('drops what was under way for an older position', async () => {
    const { world, fetcher, values } = reading()
    world.broker.append([recordOf('1'), recordOf('2'), recordOf('3')])
    fetcher.assign(requests, 0)
    fetcher.assign(requests, 2)
    await world.run()
    const jumped = values(fetcher.poll())

    fetcher.assign(requests, 1)
    await world.run()

    expect(jumped).toEqual(['3'])
    expect(values(fetcher.poll())).toEqual(['2', '3'])
  })

  test('takes turns among partitions', async () => {
    const { world, fetcher } = reading()
    const at = (batches: FetchedBatch[]) => batches.map(batch => batch.partition)
    fetcher.assign(requests, 0)
    fetcher.assign(second, 0)
    world.broker.append([recordOf('1')])
    await world.run()
    const only = at(fetcher.poll())

    world.broker.append([recordOf('2'), recordOf('3', second)])
    await world.run()

    expect(only).toEqual([0])
    expect(at(fetcher.poll())).toEqual([1, 0])
  })

  test.each([
    { where: 'before the log', offset: 1, deletedBefore: 2 },
    { where: 'behind the log', offset: 9, deletedBefore: 0 },
  ])(
    'says OFFSET_OUT_OF_RANGE $where, loses nothing of the others',
    async ({ offset, deletedBefore }) => {
      const { world, fetcher, values } = reading()
      world.broker.append([recordOf('1'), recordOf('2'), recordOf('3'), recordOf('x', second)])
      world.broker.log(requests).deleteBefore(deletedBefore)
      fetcher.assign(second, 0)
      fetcher.assign(requests, offset)
      await world.run()

      expect(() => fetcher.poll()).toThrow(expect.objectContaining({ code: 'OFFSET_OUT_OF_RANGE' }))
      fetcher.unassign(requests)
      expect(values(fetcher.poll())).toEqual(['x'])
    },
  )

  test('outlives outages and lost messages', async () => {
    const { world, fetcher, values } = reading({
      faultRates: { lostRequest: 0.3, lostReply: 0.3, slowRequest: 0, slowReply: 0, slowMsMax: 0 },
    })
    world.faults.outage('*', 5000)
    world.broker.append([recordOf('1')])
    fetcher.assign(requests, 0)
    await world.run()

    expect(values(fetcher.poll())).toEqual(['1'])
  })

  test('waits for a topic that comes later', async () => {
    const { world, fetcher, values } = reading()
    const later = { topic: 'later', partition: 0 }
    fetcher.assign(later, 0)
    await world.run()

    world.broker.createTopic({ name: 'later', partitions: 1, configs: {} })
    world.broker.append([recordOf('1', later)])
    await world.run()

    expect(values(fetcher.poll())).toEqual(['1'])
  })
})

describe('a log in memory', () => {
  test('keeps the last record of each key when it is compacted, and its end', async () => {
    const world = worldWith()
    const of = (key: string, value: string | null) => ({
      ...recordOf(key),
      value: value === null ? null : Buffer.from(value),
    })
    const producer = await producerOf(world, world.connect(world.startProcess('writer')))
    await world.settle(producer.send([of('a', 'a1'), of('b', 'b1'), of('c', 'c1')]))
    await world.settle(producer.commit())
    await world.settle(producer.send([of('a', 'aborted')]))
    await world.settle(producer.abort())
    await world.settle(producer.send([of('b', 'b2'), of('c', null)]))
    await world.settle(producer.commit())
    await world.run()
    const log = world.broker.log(requests)
    const end = log.endOffset

    log.compact('keep')
    const withTombstones = await readFrom(world, requests, 0)
    log.compact('drop')
    const without = await readFrom(world, requests, 0)

    expect(withTombstones).toMatchObject({ values: ['a1', 'b2', 'null'], nextOffset: end })
    expect(without).toMatchObject({ values: ['a1', 'b2'], nextOffset: end })
    expect(log.endOffset).toBe(end)
  })

  test('is not compacted behind the first open transaction', async () => {
    const world = worldWith()
    const of = (value: string) => ({ ...recordOf('key'), value: Buffer.from(value) })
    const producer = await producerOf(world, world.connect(world.startProcess('writer')))
    world.broker.append([of('1'), of('2')])
    await world.settle(producer.send([of('open')]))
    world.broker.append([of('3')])

    world.broker.log(requests).compact('drop')
    await world.settle(producer.commit())

    expect((await readFrom(world, requests, 0)).values).toEqual(['2', 'open', '3'])
  })

  test('gives its own time to records where the topic says LogAppendTime', async () => {
    const world = worldWith()
    const configs = { 'message.timestamp.type': 'LogAppendTime' }
    world.broker.createTopic({ name: 'timed', partitions: 1, configs })
    const timed = { topic: 'timed', partition: 0 }
    await world.run({ withinMs: 5000 })
    world.broker.append([recordOf('1', timed), recordOf('2')])

    const { batches } = await readFrom(world, timed, 0)
    const { batches: own } = await readFrom(world, requests, 0)

    expect(batches[0]?.records[0]?.timestampMs).toBe(Date.UTC(2026, 0, 1) + 5000)
    expect(own[0]?.records[0]?.timestampMs).toBe(1)
  })

  test('keeps null and empty apart, and its bytes from whoever wrote them', async () => {
    const world = worldWith()
    const value = Buffer.from('kept')
    const headers = [
      { key: 'null', value: null },
      { key: 'empty', value: Buffer.alloc(0) },
    ]
    world.broker.append([{ ...recordOf('1'), key: null, value, headers }])
    value.fill(0)

    const { batches } = await readFrom(world, requests, 0)

    expect(batches[0]?.records[0]).toMatchObject({ key: null, value: Buffer.from('kept'), headers })
  })
})

describe('an admin in memory', () => {
  test('creates what is missing, leaves alone what exists, and gives a new topic a new id', async () => {
    const world = worldWith()
    const { admin } = world.connect(world.startProcess('admin'))
    const specification = { name: 'made', partitions: 3, configs: { 'retention.ms': '1' } }

    await world.settle(admin.createTopics([specification]))
    await world.settle(admin.createTopics([{ ...specification, partitions: 9 }]))
    const before = await world.settle(admin.describeTopics(['made', 'missing']))
    const configs = await world.settle(admin.topicConfigs(['made', 'missing']))
    world.broker.deleteTopic('made')
    await world.settle(admin.createTopics([specification]))
    const after = await world.settle(admin.describeTopics(['made']))

    expect([...before.keys()]).toEqual(['made'])
    expect(before.get('made')?.partitions).toBe(3)
    expect(configs.get('made')?.get('retention.ms')).toBe('1')
    expect(configs.get('made')?.get('cleanup.policy')).toBe('delete')
    expect(after.get('made')?.topicId).not.toBe(before.get('made')?.topicId)
  })

  test('knows where a log begins and ends, open transactions included', async () => {
    const world = worldWith()
    const cluster = world.connect(world.startProcess('a'))
    world.broker.append([recordOf('1'), recordOf('2')])
    world.broker.log(requests).deleteBefore(1)
    const producer = await producerOf(world, cluster)
    await world.settle(producer.send([recordOf('3')]))

    const starts = await world.settle(cluster.admin.startOffsets([requests, second]))
    const ends = await world.settle(cluster.admin.endOffsets([requests, second]))

    expect([...starts]).toEqual([
      ['requests/0', 1],
      ['requests/1', 0],
    ])
    expect([...ends]).toEqual([
      ['requests/0', 3],
      ['requests/1', 0],
    ])
  })

  test('says BROKER_UNAVAILABLE when nobody answers within the request time-out', async () => {
    const world = worldWith({ requestTimeoutMs: 2000 })
    const { admin } = world.connect(world.startProcess('a'))
    world.faults.outage('*', 60_000)

    await expect(world.settle(admin.describeTopics([]))).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    })
  })
})
