import { describe, expect, test } from 'vitest'
import {
  CommittedRecordsReader,
  type AbortedTransaction,
} from '../../src/kafka/committed-records.ts'
import { batchOf, emptied, marker, recordOf, transactionalBatch } from './record-batches.ts'

const at = { topic: 't', partition: 0 }

function read(batches: readonly Buffer[], aborted: readonly AbortedTransaction[] = [], from = 0) {
  const { records, nextOffset } = new CommittedRecordsReader(
    at,
    Buffer.concat(batches),
    aborted,
    from,
  ).read()
  return { values: records.map(record => String(record.value)), nextOffset, records }
}

describe('the filter of committed records', () => {
  test('drops each of several aborted transactions of one producer, and keeps what lies between', () => {
    const batches = [
      transactionalBatch(7, 0, 'a1', 'a2'),
      marker(7, 2, 'abort'),
      transactionalBatch(7, 3, 'kept'),
      marker(7, 4, 'commit'),
      transactionalBatch(7, 5, 'a3'),
      marker(7, 6, 'abort'),
    ]
    const aborted = [
      { producerId: 7, firstOffset: 5 },
      { producerId: 7, firstOffset: 0 },
    ]

    expect(read(batches, aborted)).toMatchObject({ values: ['kept'], nextOffset: 7 })
  })

  test('reads piece by piece what it reads at once, and drops what was aborted across the pieces', () => {
    const batches = [
      transactionalBatch(7, 0, 'a1'),
      transactionalBatch(8, 1, 'k1', 'k2', 'k3'),
      transactionalBatch(7, 4, 'a2'),
      marker(7, 5, 'abort'),
      transactionalBatch(7, 6, 'k4'),
      marker(7, 7, 'commit'),
    ]
    const aborted = [{ producerId: 7, firstOffset: 0 }]
    const reader = new CommittedRecordsReader(at, Buffer.concat(batches), aborted, 0)

    const pieces = []
    while (reader.hasMore) pieces.push(reader.read(2))

    expect(pieces.map(each => each.records.map(({ value }) => String(value)))).toEqual([
      ['k1', 'k2', 'k3'],
      ['k4'],
    ])
    expect(pieces.map(each => each.nextOffset)).toEqual([4, 8])
  })

  test('drops an aborted transaction whose marker comes in a later response', () => {
    const batches = [transactionalBatch(7, 0, 'a1'), transactionalBatch(7, 1, 'a2')]

    const result = read(batches, [{ producerId: 7, firstOffset: 0 }])

    expect(result).toMatchObject({ values: [], nextOffset: 2 })
  })

  test('keeps committed records before a later, empty abort', () => {
    const batches = [
      transactionalBatch(7, 0, 'kept'),
      marker(7, 1, 'commit'),
      marker(7, 2, 'abort'),
      transactionalBatch(7, 3, 'kept as well'),
      marker(7, 4, 'commit'),
    ]

    expect(read(batches).values).toEqual(['kept', 'kept as well'])
  })

  test('drops an aborted transaction that began before the first batch', () => {
    const batches = [
      transactionalBatch(7, 50, 'aborted'),
      marker(7, 51, 'abort'),
      transactionalBatch(7, 52, 'kept'),
    ]

    expect(read(batches, [{ producerId: 7, firstOffset: 10 }], 50).values).toEqual(['kept'])
  })

  test('tells interleaved producers apart, and those outside any transaction', () => {
    const batches = [
      transactionalBatch(7, 0, 'aborted'),
      transactionalBatch(8, 1, 'committed'),
      batchOf([recordOf('plain')], { baseOffset: 2, producerId: 7 }),
      marker(8, 3, 'commit'),
      transactionalBatch(7, 4, 'aborted too'),
      marker(7, 5, 'abort'),
    ]

    expect(read(batches, [{ producerId: 7, firstOffset: 0 }]).values).toEqual([
      'committed',
      'plain',
    ])
  })

  test('is not ended by the marker of another producer, nor by a commit', () => {
    const batches = [
      transactionalBatch(7, 0, 'aborted'),
      marker(8, 1, 'abort'),
      transactionalBatch(7, 2, 'aborted too'),
      marker(7, 3, 'abort'),
    ]

    expect(read(batches, [{ producerId: 7, firstOffset: 0 }]).values).toEqual([])
  })

  test('goes on behind a marker that compaction has emptied', () => {
    const batches = [emptied(marker(7, 4, 'abort')), transactionalBatch(7, 9, 'kept')]

    expect(read(batches)).toMatchObject({ values: ['kept'], nextOffset: 10 })
  })
})

describe('positions', () => {
  test('in the middle of a batch leave out what lies before', () => {
    const batches = [transactionalBatch(7, 0, 'a', 'b', 'c')]

    expect(read(batches, [], 1)).toMatchObject({ values: ['b', 'c'], nextOffset: 3 })
  })

  test('move on over what compaction has emptied', () => {
    const batches = [emptied(transactionalBatch(7, 0, 'a', 'b', 'c'))]

    expect(read(batches)).toMatchObject({ values: [], nextOffset: 3 })
  })

  test('stay at a batch that the broker has cut', () => {
    const second = transactionalBatch(7, 1, 'b')
    const batches = [transactionalBatch(7, 0, 'a'), second.subarray(0, -1)]

    expect(read(batches)).toMatchObject({ values: ['a'], nextOffset: 1 })
    expect(read([second.subarray(0, 5)], [], 1)).toMatchObject({ values: [], nextOffset: 1 })
  })
})

describe('records', () => {
  test.each([
    { name: 'gzip', bits: 1 },
    { name: 'snappy', bits: 2 },
    { name: 'lz4', bits: 3 },
    { name: 'zstd', bits: 4 },
  ])('are read from batches compressed with $name', ({ bits }) => {
    const batch = batchOf([recordOf('a'), recordOf('b')], { baseOffset: 5, attributes: bits })

    expect(read([batch], [], 5)).toMatchObject({ values: ['a', 'b'], nextOffset: 7 })
  })

  test('have the append time where the topic says so, else their own', () => {
    const records = [recordOf('a', { timestampMs: 1000 }), recordOf('b', { timestampMs: 400 })]
    const appended = batchOf(records, { baseOffset: 0, attributes: 8, maxTimestampMs: 9000 })
    const created = batchOf(records, { baseOffset: 2 })

    const times = read([appended, created]).records.map(record => record.timestampMs)

    expect(times).toEqual([9000, 9000, 1000, 400])
  })

  test('keep null and empty apart, and times that lie far apart', () => {
    const empty = Buffer.alloc(0)
    const headers = [
      { key: 'n', value: null },
      { key: '', value: empty },
      { key: 'ü', value: Buffer.from('v') },
    ]
    const far = 8_000_000_000_000
    const records = [
      recordOf(null, { headers }),
      recordOf('', { timestampMs: far }),
      recordOf('x', { timestampMs: 0 }),
    ]

    const result = read([batchOf(records, { baseOffset: 0 })]).records

    expect(result.map(({ key, value }) => ({ key, value }))).toEqual([
      { key: null, value: null },
      { key: empty, value: empty },
      { key: Buffer.from('x'), value: Buffer.from('x') },
    ])
    expect(result[0]?.headers).toEqual(headers)
    expect(result.map(record => record.timestampMs)).toEqual([1000, far, 0])
  })

  test('have the names of their headers, whatever the record before had', () => {
    const value = Buffer.from('v')
    const named = [
      ['a', 'bc'],
      ['ab', 'bc', 'd'],
      ['ac', ''],
      ['', 'bc'],
      ['ü', 'b'],
      ['ü', 'bcd'],
    ]
    const many = Array.from({ length: 40 }, (_, index) => `name ${index}`)
    const lists = [...named, many, many.toReversed(), [], ...named.toReversed()].map(names =>
      names.map(key => ({ key, value })),
    )
    const records = lists.map(headers => recordOf('x', { headers }))

    const result = read([batchOf(records, { baseOffset: 0 })]).records

    expect(result.map(({ headers }) => headers)).toEqual(lists)
  })

  test('damaged on their way are not taken for data', () => {
    const batch = transactionalBatch(7, 0, 'value')
    batch[batch.length - 3]! ^= 1

    expect(() => read([batch])).toThrow(expect.objectContaining({ code: 'BROKER_UNAVAILABLE' }))
  })
})
