import { describe, expect, test } from 'vitest'
import { queuesByPartition, type PartitionQueue } from '../../src/kafka/partition-queue.ts'
import { Sequences } from '../../src/kafka/sequences.ts'
import { recordOf } from './record-batches.ts'

function drain(queue: PartitionQueue): number[] {
  const sizes: number[] = []
  for (let offset = 0; queue.head !== undefined;) {
    const size = queue.head.to - queue.head.from
    sizes.push(size)
    queue.acknowledge(offset)
    offset += size
  }
  return sizes
}

const ten = Array.from({ length: 10 }, (_, index) => recordOf(`value ${index}`.padEnd(100)))

describe('batches of one partition', () => {
  test('hold as much as fits, in order', () => {
    const [queue] = queuesByPartition(ten, 1000)

    expect(drain(queue!)).toEqual([4, 4, 2])
    expect(queue!.range()).toEqual({ topic: 't', partition: 0, firstOffset: 0, lastOffset: 9 })
  })

  test('hold one record at least, however large', () => {
    const [queue] = queuesByPartition(ten.slice(0, 3), 1)

    expect(drain(queue!)).toEqual([1, 1, 1])
  })

  test('are halved when the broker refuses them, down to one record', () => {
    const [queue] = queuesByPartition(ten.slice(0, 3), 10_000)

    const halved = [queue!.halve(), queue!.halve()]

    expect(halved).toEqual([true, false])
    expect(drain(queue!)).toEqual([1, 2])
  })

  test('of several partitions and topics do not mix', () => {
    const records = [
      recordOf('a'),
      recordOf('b', { partition: 1 }),
      recordOf('c', { topic: 'u' }),
      recordOf('d'),
    ]

    const queues = queuesByPartition(records, 1000)

    expect(queues.map(queue => [queue.topic, queue.partition, queue.records.length])).toEqual([
      ['t', 0, 2],
      ['t', 1, 1],
      ['u', 0, 1],
    ])
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
