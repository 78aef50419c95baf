import { describe, expect, test } from 'vitest'
import type { GroupGeneration, TransactionalProducer } from '../../src/runtime/ports.ts'
import { memberOf, producerOf, readFrom, recordOf, requests, worldWith } from './world.ts'

const second = { topic: 'requests', partition: 1 }

describe('a transaction in memory', () => {
  test('is seen as a whole after its commit, and its marker takes an offset', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))

    const ranges = await world.settle(
      producer.send([recordOf('1'), recordOf('2'), recordOf('3', second)]),
    )
    const before = await readFrom(world, requests, 0)
    await world.settle(producer.init())
    await world.settle(producer.send([recordOf('4')]))
    await world.settle(producer.commit())
    const after = await readFrom(world, requests, 0)

    expect(ranges).toEqual([
      { ...requests, firstOffset: 0, lastOffset: 1 },
      { ...second, firstOffset: 0, lastOffset: 0 },
    ])
    expect(before.values).toEqual([])
    expect(after).toMatchObject({ values: ['4'], nextOffset: 5 })
  })

  test('hides aborted records, several transactions of one producer among committed ones', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))

    for (const [value, end] of [
      ['a1', 'abort'],
      ['c1', 'commit'],
      ['a2', 'abort'],
      ['a3', 'abort'],
      ['c2', 'commit'],
    ] as const) {
      await world.settle(producer.send([recordOf(value), recordOf(`${value}'`)]))
      await world.settle(producer[end]())
    }

    const whole = await readFrom(world, requests, 0)
    const small = await readFrom(world, requests, 7, { maxBytesPerPartition: 1 })
    expect(whole).toMatchObject({ values: ['c1', "c1'", 'c2', "c2'"], nextOffset: 15 })
    expect(small).toMatchObject({ values: ['c2', "c2'"], nextOffset: 15 })
    expect(small.batches.length).toBeGreaterThan(5)
  })

  test('holds readers back at the first open transaction, whoever wrote behind it', async () => {
    const world = worldWith()
    const cluster = world.connect(world.startProcess('a'))
    const slow = await producerOf(world, cluster, 'slow')
    const fast = await producerOf(world, cluster, 'fast')

    await world.settle(slow.send([recordOf('slow')]))
    await world.settle(fast.send([recordOf('fast')]))
    await world.settle(fast.commit())
    await world.run({ withinMs: 100 })
    const log = world.broker.log(requests)
    const blocked = { stable: log.lastStableOffset, end: log.endOffset }
    await world.settle(slow.commit())

    expect(blocked).toEqual({ stable: 0, end: 3 })
    expect((await readFrom(world, requests, 0)).values).toEqual(['slow', 'fast'])
  })

  test('ends its own records and leaves those of another, between them, open', async () => {
    const world = worldWith()
    const cluster = world.connect(world.startProcess('a'))
    const [one, other] = [
      await producerOf(world, cluster, '1'),
      await producerOf(world, cluster, '2'),
    ]
    for (const [producer, value] of [
      [one, 'one'],
      [other, 'other'],
      [one, 'one again'],
    ] as const)
      await world.settle(producer.send([recordOf(value)]))

    await world.settle(one.abort())
    await world.run({ withinMs: 100 })
    const stable = world.broker.log(requests).lastStableOffset
    await world.settle(other.commit())

    expect(stable).toBe(1)
    expect((await readFrom(world, requests, 0)).values).toEqual(['other'])
  })

  test('is over for the next init only when all its markers are written', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))
    await world.settle(producer.send([recordOf('1'), recordOf('2', second)]))
    world.faults.outage('requests/1', 3000)
    await world.settle(producer.commit())

    const init = producer.init()
    await world.run({ withinMs: 2500 })
    const early = world.broker.log(second).endOffset
    await world.settle(init)

    const { endOffset, lastStableOffset } = world.broker.log(second)
    expect([early, endOffset, lastStableOffset]).toEqual([1, 2, 2])
  })

  test('begins with its first record, however many sends follow', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))
    await world.settle(producer.send([recordOf('1')]))
    await world.settle(producer.send([recordOf('2')]))
    const stable = world.broker.log(requests).lastStableOffset

    await world.settle(producer.commit())

    expect(stable).toBe(0)
    expect((await readFrom(world, requests, 0)).values).toEqual(['1', '2'])
  })

  test('is aborted when its producer is closed', async () => {
    const world = worldWith()
    const cluster = world.connect(world.startProcess('a'))
    const producer = await producerOf(world, cluster)
    await world.settle(producer.send([recordOf('1')]))

    await world.settle(cluster.close())
    await world.run({ withinMs: 100 })

    expect(world.broker.log(requests).lastStableOffset).toBe(2)
    await expect(producer.send([])).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('of a predecessor is aborted by init, and the predecessor is fenced', async () => {
    const world = worldWith()
    const old = await producerOf(world, world.connect(world.startProcess('a')))
    await world.settle(old.send([recordOf('old')]))

    const young = await producerOf(world, world.connect(world.startProcess('b')))
    await world.settle(young.send([recordOf('young')]))
    await world.settle(young.commit())

    await expect(world.settle(old.commit())).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' })
    await expect(world.settle(old.abort())).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' })
    expect((await readFrom(world, requests, 0)).values).toEqual(['young'])
  })

  test('that takes longer than its time-out is aborted, and its producer fenced', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')), 'id', 1000)
    await world.settle(producer.send([recordOf('late')]))

    await world.run({ withinMs: 1100 })

    expect(world.broker.log(requests).lastStableOffset).toBe(2)
    await expect(world.settle(producer.commit())).rejects.toMatchObject({
      code: 'TRANSACTION_FENCED',
    })
    await world.settle(producer.init())
    await world.settle(producer.send([recordOf('again')]))
    await world.settle(producer.commit())
    expect((await readFrom(world, requests, 0)).values).toEqual(['again'])
  })

  test('without records or offsets costs nothing', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))
    const { steps } = world.scheduler

    await world.settle(producer.commit())
    await world.settle(producer.abort())
    await world.settle(producer.send([]))

    expect(world.scheduler.steps).toBe(steps)
    expect(world.broker.log(requests).endOffset).toBe(0)
  })

  test('refuses a second call before the first has settled', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))

    const first = producer.send([recordOf('1')])
    await expect(producer.commit()).rejects.toMatchObject({ code: 'INTERNAL' })

    await expect(world.settle(first)).resolves.toHaveLength(1)
  })

  test('refuses a record beyond the limit of the topic, and can be aborted', async () => {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))
    const large = { ...recordOf('x'), value: Buffer.alloc(2_000_000) }

    await expect(world.settle(producer.send([large]))).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })

    await expect(producer.send([recordOf('y')])).rejects.toMatchObject({ code: 'INTERNAL' })
    await world.settle(producer.abort())
    await world.settle(producer.send([recordOf('z')]))
    await world.settle(producer.commit())
    expect((await readFrom(world, requests, 0)).values).toEqual(['z'])
  })
})

describe('offsets in a transaction', () => {
  const offset = (value: number) => [{ ...requests, offset: value, metadata: `life:${value}` }]

  async function joined() {
    const world = worldWith()
    const process = world.startProcess('a')
    const cluster = world.connect(process)
    const member = memberOf(cluster)
    await world.settle(member.join(Buffer.alloc(0), new AbortController().signal))
    const producer = await producerOf(world, cluster)
    const generation = member.generation as GroupGeneration
    const committed = async () => {
      const offsets = await world.settle(cluster.admin.committedOffsets('group', [requests]))
      return offsets.get('requests/0')
    }
    return { world, cluster, producer, generation, committed }
  }

  test('are there after the commit with their metadata, and not after an abort', async () => {
    const { world, producer, generation, committed } = await joined()
    const missing = await committed()

    await world.settle(producer.addOffsets(offset(5), generation))
    await world.settle(producer.commit())
    const first = await committed()
    await world.settle(producer.addOffsets(offset(9), generation))
    await world.settle(producer.abort())

    expect(missing).toBeUndefined()
    expect(first).toEqual({ offset: 5, metadata: 'life:5' })
    expect(await committed()).toEqual(first)
  })

  test('make a stable read wait for the marker of the transaction that holds them', async () => {
    const { world, cluster, producer, generation } = await joined()
    await world.settle(producer.addOffsets(offset(5), generation))

    let offsets: unknown
    const reading = cluster.admin.committedOffsets('group', [requests]).then(found => {
      offsets = found.get('requests/0')
      return found
    })
    await world.run({ withinMs: 1000 })
    const whileOpen = offsets
    await world.settle(producer.commit())
    await world.settle(reading)

    expect(whileOpen).toBeUndefined()
    expect(offsets).toEqual({ offset: 5, metadata: 'life:5' })
  })

  test('are those of the transaction that wrote them last, whichever ended last', async () => {
    const { world, cluster, producer, generation, committed } = await joined()
    const other = await producerOf(world, cluster, 'other')
    await world.settle(producer.addOffsets(offset(5), generation))
    await world.settle(other.addOffsets(offset(9), generation))

    await world.settle(other.commit())
    await world.run({ withinMs: 100 })
    await world.settle(producer.commit())

    expect(await committed()).toEqual({ offset: 9, metadata: 'life:9' })
  })

  test.each([
    { rule: 'an old generation', wrong: { generationId: 0 } },
    { rule: 'an unknown member', wrong: { memberId: 'nobody' } },
  ])('are refused for $rule', async ({ wrong }) => {
    const { world, producer, generation, committed } = await joined()

    const adding = producer.addOffsets(offset(5), { ...generation, ...wrong })

    await expect(world.settle(adding)).rejects.toMatchObject({ code: 'GROUP_FENCED' })
    await world.settle(producer.abort())
    expect(await committed()).toBeUndefined()
  })
})

describe('a lost message', () => {
  async function started(): Promise<{
    world: ReturnType<typeof worldWith>
    producer: TransactionalProducer
  }> {
    const world = worldWith()
    const producer = await producerOf(world, world.connect(world.startProcess('a')))
    await world.settle(producer.send([recordOf('1')]))
    return { world, producer }
  }

  test.each([
    { fate: 'lost-reply' as const, seen: ['1'] },
    { fate: 'lost-request' as const, seen: [] },
  ])('$fate of a commit: the outcome is unknown, the truth $seen', async ({ fate, seen }) => {
    const { world, producer } = await started()
    world.faults.script({ name: 'end-transaction' }, { kind: fate })

    await expect(world.settle(producer.commit())).rejects.toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
    })
    await world.settle(producer.init())

    expect((await readFrom(world, requests, 0)).values).toEqual(seen)
  })

  test('a commit that arrives after the next init changes nothing', async () => {
    const { world, producer } = await started()
    world.faults.script({ name: 'end-transaction' }, { kind: 'slow-request', delayMs: 8000 })
    await expect(world.settle(producer.commit())).rejects.toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
    })

    await world.settle(producer.init())
    await world.settle(producer.send([recordOf('2')]))
    await world.run({ withinMs: 5000 })
    await world.settle(producer.abort())

    expect((await readFrom(world, requests, 0)).values).toEqual([])
  })

  test('a lost reply of an abort is asked for again', async () => {
    const { world, producer } = await started()
    world.faults.script({ name: 'end-transaction' }, { kind: 'lost-reply' })

    await world.settle(producer.abort())
    await world.settle(producer.send([recordOf('2')]))
    await world.settle(producer.commit())

    expect((await readFrom(world, requests, 0)).values).toEqual(['2'])
  })

  test('a repeated abort of a former owner does not get the session of the new one', async () => {
    const { world, producer: old } = await started()
    world.faults.script({ name: 'end-transaction' }, { kind: 'slow-reply', delayMs: 60_000 })
    const aborting = old.abort()
    await world.run({ withinMs: 1000 })
    const young = await producerOf(world, world.connect(world.startProcess('b')))

    await expect(world.settle(aborting)).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' })
    await world.settle(young.send([recordOf('young')]))
    await world.settle(young.commit())
    expect((await readFrom(world, requests, 0)).values).toEqual(['young'])
  })

  test('an abort cannot undo a commit whose reply was lost', async () => {
    const { world, producer } = await started()
    world.faults.script({ name: 'end-transaction' }, { kind: 'lost-reply' })
    await expect(world.settle(producer.commit())).rejects.toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
    })

    await expect(world.settle(producer.abort())).rejects.toMatchObject({
      code: 'TRANSACTION_FENCED',
    })
    expect((await readFrom(world, requests, 0)).values).toEqual(['1'])
  })

  test('a lost reply of a send never doubles a record', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const world = worldWith({ seed })
      const producer = await producerOf(world, world.connect(world.startProcess('a')))
      world.faults.script({ name: 'produce' }, { kind: 'lost-reply' })

      const code = await world.settle(
        producer.send([recordOf('1')]).then(
          () => 'sent',
          (error: unknown) => (error as { code: string }).code,
        ),
      )
      await world.settle(code === 'sent' ? producer.commit() : producer.abort())

      const { values } = await readFrom(world, requests, 0)
      expect([code, ...values]).toEqual(code === 'sent' ? ['sent', '1'] : ['TRANSACTION_ABORTED'])
    }
  })

  test('an outage shorter than the transaction is waited out, a longer one is BROKER_UNAVAILABLE', async () => {
    const { world, producer } = await started()
    world.faults.outage('requests/1', 3000)
    await world.settle(producer.send([recordOf('2', second)]))
    await world.settle(producer.commit())
    await world.settle(producer.send([recordOf('3')]))

    world.faults.outage('requests/1', 60_000)
    const sending = producer.send([recordOf('4', second)])

    await expect(world.settle(sending)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' })
    await expect(world.settle(producer.abort())).rejects.toMatchObject({
      code: 'TRANSACTION_FENCED',
    })
  })
})
