import { expect, test } from 'vitest'
import type { ProducedRecord } from '../../src/runtime/ports.ts'
import { PartitionLog } from '../../src/testing/partition-log.ts'

const at = { topic: 'changelog', partition: 0 }

function batch(value: string): ProducedRecord[] {
  return [{ ...at, key: null, value: Buffer.from(value), headers: [], timestampMs: 0 }]
}

function append(log: PartitionLog, sequence: number, epoch = 0) {
  return log.appendIdempotent(batch(String(sequence)), undefined, {
    producerId: 1,
    epoch,
    sequence,
  })
}

test('a copy of a batch that comes behind those that followed it is not written a second time', () => {
  const log = new PartitionLog(at)
  const first = append(log, 0)
  append(log, 1)
  append(log, 2)

  expect(append(log, 0)).toEqual(first)
  expect(log.endOffset).toBe(3)
})

test('a batch that is no longer known, or whose predecessor is missing, is refused', () => {
  const log = new PartitionLog(at)
  for (let sequence = 0; sequence < 7; sequence += 1) append(log, sequence)

  for (const sequence of [0, 8])
    expect(() => append(log, sequence)).toThrow('OUT_OF_ORDER_SEQUENCE_NUMBER')
  expect(log.endOffset).toBe(7)
})

test('sequences begin anew with the next epoch, and what comes of the one before is refused', () => {
  const log = new PartitionLog(at)
  append(log, 0)
  append(log, 0, 1)

  expect(() => append(log, 1)).toThrow('INVALID_PRODUCER_EPOCH')
  expect(log.endOffset).toBe(2)
})
