import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { errorCodeOf } from '../../src/errors.ts'
import type { FetchedBatch, TransactionalProducer } from '../../src/runtime/ports.ts'
import { ContractScene } from '../contract/cluster-world.ts'
import type { Loss } from './fault-plan.ts'
import { startProxied, type ProxiedEnvironment } from './proxied-environment.ts'
import { wireWorld } from './wire-world.ts'

describe.each([{ version: 2 }, { version: 1 }] as const)(
  'when messages get lost, transactions of version $version',
  ({ version }) => {
    let environment: ProxiedEnvironment
    let scene: ContractScene
    beforeAll(async () => {
      environment = await startProxied(version)
    })
    beforeEach(async () => {
      scene = await ContractScene.open(wireWorld(environment.bootstrapServers))
    })
    afterEach(async () => {
      environment.proxy.heal()
      await scene.close()
    })
    afterAll(() => environment[Symbol.asyncDispose]())

    const faults: readonly Loss[] = ['request', 'answer']

    /** One more transaction works, and its record is there. */
    async function goOn(producer: TransactionalProducer): Promise<void> {
      await producer.send([scene.record('next')])
      await producer.commit()
    }

    /**
     * The same, or after one abort: what arrives late may break a transaction of the first version, but adds nothing
     * to it.
     */
    async function goOnAtLast(producer: TransactionalProducer): Promise<void> {
      try {
        await goOn(producer)
      } catch (error) {
        if (errorCodeOf(error) !== 'TRANSACTION_ABORTED') throw error
        await producer.abort()
        await goOn(producer)
      }
    }

    test.each(faults)('a batch whose %s is lost is written once', async fault => {
      const producer = await scene.producer()
      await producer.send([scene.record('1')])
      environment.proxy.lose('produce', fault)

      const ranges = await producer.send([scene.record('2'), scene.record('3')])
      await producer.send([scene.record('4')])
      await producer.commit()

      expect(environment.proxy.lost).toBeGreaterThan(0)
      expect(ranges).toEqual([{ ...scene.at, firstOffset: 1, lastOffset: 2 }])
      expect(await scene.values()).toEqual(['1', '2', '3', '4'])
    })

    test.each(faults)('offsets whose %s is lost are committed', async fault => {
      const producer = await scene.producer()
      const member = scene.member()
      await scene.join(member)
      environment.proxy.lose('txnOffsetCommit', fault)

      await producer.addOffsets([{ ...scene.at, offset: 5, metadata: 'i:1' }], member.generation!)
      await producer.commit()

      const offsets = await scene.cluster.admin.committedOffsets(scene.groupId, [scene.at])
      expect(offsets.get(`${scene.topic}/0`)).toEqual({ offset: 5, metadata: 'i:1' })
    })

    test.each(faults)('an initialisation whose %s is lost is made again', async fault => {
      environment.proxy.lose('initProducerId', fault)

      const producer = await scene.producer()
      await goOn(producer)

      expect(await scene.values()).toEqual(['next'])
    })

    test.runIf(version === 1).each(faults)(
      'a partition whose %s of adding is lost is added',
      async fault => {
        const producer = await scene.producer()
        environment.proxy.lose('addPartitionsToTxn', fault)

        await goOn(producer)

        expect(await scene.values()).toEqual(['next'])
      },
    )

    test.runIf(version === 2).each(faults)(
      'a commit whose %s is lost is made once',
      async fault => {
        const producer = await scene.producer()
        await producer.send([scene.record('1')])
        environment.proxy.lose('endTxn', fault)

        await producer.commit()
        await goOn(producer)

        expect(await scene.values()).toEqual(['1', 'next'])
      },
    )

    test.runIf(version === 1).each([
      { fault: 'request', values: ['next'] },
      { fault: 'answer', values: ['1', 'next'] },
    ] as const)(
      'a commit whose $fault is lost is unknown, and stable offsets tell',
      async ({ fault, values }) => {
        const producer = await scene.producer()
        const member = scene.member()
        await scene.join(member)
        await producer.send([scene.record('1')])
        await producer.addOffsets([{ ...scene.at, offset: 1, metadata: 'i:7' }], member.generation!)
        environment.proxy.lose('endTxn', fault)

        await expect(producer.commit()).rejects.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' })
        await producer.init()
        const offsets = await scene.cluster.admin.committedOffsets(scene.groupId, [scene.at])
        await goOn(producer)

        expect(offsets.get(`${scene.topic}/0`)?.metadata === 'i:7').toBe(values.length === 2)
        expect(await scene.values()).toEqual(values)
      },
    )

    test.each(faults)('an abort whose %s is lost aborts', async fault => {
      const producer = await scene.producer()
      await producer.send([scene.record('dropped')])
      environment.proxy.lose('endTxn', fault)

      await producer.abort()
      await goOn(producer)

      expect(await scene.values()).toEqual(['next'])
    })

    test.each(version === 2 ? (['commit', 'abort'] as const) : (['abort'] as const))(
      'a copy of an end (%s) that arrives late cannot touch the next transaction',
      async how => {
        const producer = await scene.producer()
        await producer.send([scene.record('first')])
        environment.proxy.lose('endTxn', 'late')
        await (how === 'commit' ? producer.commit() : producer.abort())

        await producer.send([scene.record('next')])
        const delivered = await environment.proxy.deliverLate()
        await producer.send([scene.record('last')])
        await producer.commit()

        expect(delivered).toBe(1)
        expect(await scene.values()).toEqual(
          how === 'commit' ? ['first', 'next', 'last'] : ['next', 'last'],
        )
      },
    )

    test.each(['commit', 'abort'] as const)(
      'a copy of a batch that arrives after its transaction (%s) adds nothing',
      async how => {
        const producer = await scene.producer()
        environment.proxy.lose('produce', 'late')
        await producer.send([scene.record('once')])
        await (how === 'commit' ? producer.commit() : producer.abort())

        const delivered = await environment.proxy.deliverLate()
        await goOnAtLast(producer)

        expect(delivered).toBe(1)
        expect(await scene.values()).toEqual(how === 'commit' ? ['once', 'next'] : ['next'])
      },
    )

    test('a commit that nobody answers for the whole time is unknown, and init decides it', async () => {
      const cluster = scene.connect()
      await using producer = cluster.createProducer({
        transactionalId: `${scene.topic}-short`,
        transactionTimeoutMs: 1000,
      })
      await producer.init()
      await producer.send([scene.record('1')])
      environment.proxy.lose('endTxn', 'answer', 1_000_000)

      await expect(producer.commit()).rejects.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN' })
      environment.proxy.heal()
      await producer.init()
      await goOn(producer)

      expect(await scene.values()).toEqual(['1', 'next'])
    })

    test('a transaction that took too long is over, and its records are not seen', async () => {
      const cluster = scene.connect()
      await using producer = cluster.createProducer({
        transactionalId: `${scene.topic}-short`,
        transactionTimeoutMs: 300,
      })
      await producer.init()
      await producer.send([scene.record('late')])
      const end = await scene.endOffset()
      // The marker of the broker's abort makes the log longer.
      await expect.poll(() => scene.endOffset(), { timeout: 20_000 }).toBe(end + 1)

      // The second version knows that nobody else owns the id; the first cannot tell.
      const code = version === 2 ? 'TRANSACTION_ABORTED' : 'TRANSACTION_FENCED'
      await expect(producer.commit()).rejects.toMatchObject({ code })
      await (version === 2 ? producer.abort() : producer.init())
      await goOn(producer)

      expect(await scene.values()).toEqual(['next'])
    })

    test.each(faults)('fetches whose %s are lost lose no record', async fault => {
      const producer = await scene.producer()
      const fetcher = scene.fetcher()
      const batches: FetchedBatch[] = []
      fetcher.onReady(() => batches.push(...fetcher.poll()))
      environment.proxy.lose('fetch', fault, 3)
      fetcher.assign(scene.at, 0)

      await goOn(producer)
      await scene.world.until(() => batches.some(batch => batch.records.length > 0))

      expect(batches.flatMap(batch => batch.records.map(record => String(record.value)))).toEqual([
        'next',
      ])
    })

    describe.runIf(version === 2)('in a group', () => {
      test.each(['joinGroup', 'syncGroup'] as const)(
        'a lost answer to %s is asked for again',
        async api => {
          const member = scene.member()
          environment.proxy.lose(api, 'answer')

          const assignment = await scene.join(member)

          expect(assignment.partitions).toEqual([scene.at])
        },
      )

      test('a heartbeat that is lost now and then costs nothing', async () => {
        const member = scene.member()
        await scene.join(member)
        const lostBefore = environment.proxy.lost
        environment.proxy.lose('heartbeat', 'answer', 3)

        await scene.world.until(() => environment.proxy.lost === lostBefore + 3)
        await scene.endOffset()

        expect(member.status).toBe('joined')
      })

      test('a member whose heartbeats nobody answers for a session is lost', async () => {
        const member = scene.member({ sessionTimeoutMs: 1000 })
        await scene.join(member)
        environment.proxy.lose('heartbeat', 'request', 1_000_000)

        await scene.world.until(() => member.status === 'lost')

        expect(member.generation).toBeUndefined()
      })
    })
  },
)
