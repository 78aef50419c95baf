import { describe, expect, test } from 'vitest'
import { CommittedRecordsReader } from '../../src/kafka/committed-records.ts'
import { type PartitionQueue, PartitionQueues } from '../../src/kafka/partition-queue.ts'
import { Sequences } from '../../src/kafka/sequences.ts'
import { SpareBuffers } from '../../src/kafka/spare-buffers.ts'
import type { ProducedRecord } from '../../src/runtime/ports.ts'
import { recordOf } from './record-batches.ts'

const identity = { producerId: 7n, producerEpoch: 3, baseSequence: 0, isTransactional: true }

function queuesOf(records: readonly ProducedRecord[], bytesMax: number): PartitionQueues {
  const queues = new PartitionQueues(bytesMax)
  for (const record of records) queues.add(record)
  return queues
}

/** What a broker would read, batch by batch. */
function drain(queue: PartitionQueue) {
  const batches = []
  for (let offset = 0; queue.hasMore;) {
    const batch = queue.sealHead(identity)
    const reader = new CommittedRecordsReader({ topic: 't', partition: 0 }, batch, [], 0)
    batches.push(reader.read().records)
    offset += queue.acknowledge(offset)
  }
  return batches
}

const ten = Array.from({ length: 10 }, (_, index) =>
  recordOf(`value ${index}`.padEnd(100), { timestampMs: 1000 + index * 1_000_000 }),
)

describe('batches of one partition', () => {
  test('hold as much as fits, in order', () => {
    const [queue] = queuesOf(ten, 1000).queues

    expect(drain(queue!).map(each => each.length)).toEqual([4, 4, 2])
    expect(queue!.range()).toEqual({ topic: 't', partition: 0, firstOffset: 0, lastOffset: 9 })
  })

  test('hold one record at least, however large', () => {
    const [queue] = queuesOf(ten.slice(0, 3), 1).queues

    expect(drain(queue!).map(each => each.length)).toEqual([1, 1, 1])
  })

  test('are halved when the broker refuses them, down to one record, and lose nothing by it', () => {
    const headers = [
      { key: 'schlüssel', value: Buffer.from('wert') },
      { key: 'none', value: null },
    ]
    const records = [
      { ...ten[0]!, headers },
      { ...ten[1]!, key: null },
      { ...ten[2]!, value: null },
    ]
    const [queue] = queuesOf(records, 10_000).queues

    const halved = [queue!.halve(), queue!.halve()]

    expect(halved).toEqual([true, false])
    const batches = drain(queue!)
    expect(batches.map(each => each.length)).toEqual([1, 2])
    expect(batches.flat()).toMatchObject(
      records.map(({ key, value, headers: kept, timestampMs }) => ({
        key,
        value,
        headers: kept,
        timestampMs,
      })),
    )
  })

  test('say the same as often as they are asked: what is sent again is what was sent', () => {
    const [queue] = queuesOf(ten, 10_000).queues

    const first = Buffer.from(queue!.sealHead(identity))

    expect(queue!.sealHead(identity)).toEqual(first)
  })

  test('keep the bytes of a record as they were when it was added', () => {
    const value = Buffer.from('as it was')
    const queues = queuesOf([{ ...ten[0]!, value }], 1000)
    value.fill(0)

    expect(drain(queues.queues[0]!)[0]![0]!.value).toEqual(Buffer.from('as it was'))
  })

  test('say the same in memory that another batch has used', () => {
    const spares = new SpareBuffers()
    const [first, second] = [ten, ten.slice(3, 5)].map(records => {
      const queues = new PartitionQueues(10_000, spares)
      for (const record of records) queues.add(record)
      return drain(queues.queues[0]!)
        .flat()
        .map(each => String(each.value))
    })

    expect(first).toEqual(ten.map(each => String(each.value)))
    expect(second).toEqual(first!.slice(3, 5))
  })

  test('of several partitions and topics do not mix', () => {
    const records = [
      recordOf('a'),
      recordOf('b', { partition: 1 }),
      recordOf('c', { topic: 'u' }),
      recordOf('d'),
    ]

    const { queues } = queuesOf(records, 1000)

    expect(queues.map(queue => [queue.topic, queue.partition, drain(queue).flat().length])).toEqual(
      [
        ['t', 0, 2],
        ['t', 1, 1],
        ['u', 0, 1],
      ],
    )
  })
})

describe('sequences', () => {
  test('count records a partition, begin again behind 2^31 - 1, and with a new epoch', () => {
    const sequences = new Sequences()
    sequences.advance('t/0', 2 ** 31 - 2)
    sequences.advance('t/1', 5)

    sequences.advance('t/0', 3)

    expect(sequences.next('t/0')).toBe(1)
    expect(sequences.next('t/1')).toBe(5)
    sequences.restart()
    expect(sequences.next('t/0')).toBe(0)
  })
})
