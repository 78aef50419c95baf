import { expect, test } from 'vitest'
import type { OpenScene } from './kafka-cluster-contract.ts'

export function transactionContract(open: OpenScene): void {
  test('records of a committed transaction come back as they were written', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const empty = Buffer.alloc(0)
    const headers = [
      { key: 'null', value: null },
      { key: 'empty', value: empty },
      { key: 'same', value: Buffer.from('1') },
      { key: 'same', value: Buffer.from([0, 255]) },
    ]
    const written = [
      { ...scene.at, key: null, value: null, headers, timestampMs: 1_700_000_000_000 },
      { ...scene.at, key: empty, value: empty, headers: [], timestampMs: 1_600_000_000_000 },
      { ...scene.at, key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestampMs: 0 },
    ]

    const ranges = await scene.settle(producer.send(written))
    await scene.settle(producer.commit())

    expect(ranges).toEqual([{ ...scene.at, firstOffset: 0, lastOffset: 2 }])
    expect(await scene.read(0, 4)).toEqual(
      written.map((record, offset) => Object.assign({ offset }, record)),
    )
  })

  test('the append time is what counts where the topic says so', async () => {
    const scene = await open({ 'message.timestamp.type': 'LogAppendTime' })
    const producer = await scene.producer()

    await scene.settle(producer.send([scene.record('a', 0, 5)]))
    await scene.settle(producer.commit())

    const [record] = await scene.read(0, 2)
    expect(record?.timestampMs).toBeGreaterThan(1_000_000)
  })

  test('the order within a partition is kept over many sends, and each says where its records stand', async () => {
    const scene = await open()
    const producer = await scene.producer()

    const first = await scene.settle(
      producer.send([scene.record('1'), scene.record('x', 1), scene.record('2')]),
    )
    const second = await scene.settle(producer.send([scene.record('3')]))
    await scene.settle(producer.commit())

    expect(first.toSorted((a, b) => a.partition - b.partition)).toEqual([
      { ...scene.at, firstOffset: 0, lastOffset: 1 },
      { topic: scene.topic, partition: 1, firstOffset: 0, lastOffset: 0 },
    ])
    expect(second).toEqual([{ ...scene.at, firstOffset: 2, lastOffset: 2 }])
    expect(await scene.values()).toEqual(['1', '2', '3'])
  })

  test('aborted records are never seen, wherever reading begins, and no committed one is missing', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const other = await scene.producer(`${scene.topic}-other`)
    const committed: { offset: number; value: string }[] = []
    for (const [value, ends] of [
      ['a1', 'abort'],
      ['c1', 'commit'],
      ['a2', 'abort'],
      ['a3', 'abort'],
      ['c2', 'commit'],
      ['a4', 'abort'],
    ] as const) {
      // The other one is open around each, so that ranges overlap and markers come late.
      const [open1] = await scene.settle(other.send([scene.record(`o-${value}`)]))
      const [range] = await scene.settle(producer.send([scene.record(value), scene.record(value)]))
      await scene.settle(ends === 'abort' ? producer.abort() : producer.commit())
      await scene.settle(other.commit())
      committed.push({ offset: open1!.firstOffset, value: `o-${value}` })
      if (ends === 'commit')
        for (let offset = range!.firstOffset; offset <= range!.lastOffset; offset += 1)
          committed.push({ offset, value })
    }
    const end = await scene.endOffset()

    for (let from = 0; from < end; from += 1) {
      const records = await scene.read(from, end, { maxBytesPerPartition: 1 })
      const seen = records.map(({ offset, value }) => ({ offset, value: String(value) }))
      expect(seen, `from ${from}`).toEqual(committed.filter(each => each.offset >= from))
    }
  })

  test('nothing is seen of an open transaction, nor of what was committed behind it', async () => {
    const scene = await open()
    const slow = await scene.producer(`${scene.topic}-slow`)
    const fast = await scene.producer(`${scene.topic}-fast`)
    await scene.settle(fast.send([scene.record('before')]))
    await scene.settle(fast.commit())
    // The marker of the first commit may be written behind it.
    const [open1] = await scene.settle(slow.send([scene.record('slow')]))
    await scene.settle(fast.send([scene.record('behind')]))
    await scene.settle(fast.commit())

    const before = await scene.read(0, open1!.firstOffset)
    const end = await scene.endOffset()
    await scene.settle(slow.commit())

    expect(before.map(record => String(record.value))).toEqual(['before'])
    expect(end).toBeGreaterThan(4)
    expect(await scene.values()).toEqual(['before', 'slow', 'behind'])
  })

  test('a commit or an abort without a transaction does nothing, and so does an empty send', async () => {
    const scene = await open()
    const producer = await scene.producer()

    await scene.settle(producer.commit())
    await scene.settle(producer.abort())
    const ranges = await scene.settle(producer.send([]))
    await scene.settle(producer.commit())

    expect(ranges).toEqual([])
    expect(await scene.endOffset()).toBe(0)
  })

  test('many transactions in a row, committed and aborted, leave the producer usable', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const expected: string[] = []

    for (let index = 0; index < 12; index += 1) {
      await scene.settle(producer.send([scene.record(`r${index}`)]))
      if (index % 3 === 1) await scene.settle(producer.abort())
      else {
        await scene.settle(producer.commit())
        expected.push(`r${index}`)
      }
    }

    expect(await scene.values()).toEqual(expected)
  })

  test('a second call before the first has settled is a bug', async () => {
    const scene = await open()
    const producer = await scene.producer()

    const first = producer.send([scene.record('1')])
    const second = producer.commit()

    await expect(scene.settle(second)).rejects.toMatchObject({ code: 'INTERNAL' })
    await scene.settle(first)
  })

  test('init fences the predecessor and ends its open transaction', async () => {
    const scene = await open()
    const old = await scene.producer()
    await scene.settle(old.send([scene.record('old')]))

    const young = await scene.producer()
    await scene.settle(young.send([scene.record('young')]))
    await scene.settle(young.commit())

    await expect(scene.settle(old.commit())).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' })
    expect(await scene.values()).toEqual(['young'])
  })

  test('a fenced producer that aborts leaves its successor alone', async () => {
    const scene = await open()
    const old = await scene.producer()
    await scene.settle(old.send([scene.record('old')]))
    const young = await scene.producer()
    await scene.settle(young.send([scene.record('young')]))

    await expect(scene.settle(old.abort())).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' })
    await expect(scene.settle(old.send([scene.record('again')]))).rejects.toMatchObject({
      code: 'TRANSACTION_FENCED',
    })
    await scene.settle(young.commit())

    expect(await scene.values()).toEqual(['young'])
  })

  test('a fenced producer that is initialised owns the id again', async () => {
    const scene = await open()
    const old = await scene.producer()
    const young = await scene.producer()
    await expect(scene.settle(old.send([scene.record('x')]))).rejects.toMatchObject({
      code: 'TRANSACTION_FENCED',
    })

    await scene.settle(old.init())
    await scene.settle(old.send([scene.record('back')]))
    await scene.settle(old.commit())

    await expect(scene.settle(young.send([scene.record('late')]))).rejects.toMatchObject({
      code: 'TRANSACTION_FENCED',
    })
    expect(await scene.values()).toEqual(['back'])
  })

  test('init in the middle of a transaction drops it', async () => {
    const scene = await open()
    const producer = await scene.producer()
    await scene.settle(producer.send([scene.record('dropped')]))

    await scene.settle(producer.init())
    await scene.settle(producer.send([scene.record('kept')]))
    await scene.settle(producer.commit())

    expect(await scene.values()).toEqual(['kept'])
  })

  test('a closed producer says so', async () => {
    const scene = await open()
    const producer = await scene.producer()
    await scene.settle(producer.close())
    await scene.settle(producer.close())

    await expect(scene.settle(producer.send([scene.record('x')]))).rejects.toMatchObject({
      code: 'CLOSED',
    })
  })
}
