import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { ContractScene } from '../contract/cluster-world.ts'
import { CountingReader } from './counting-reader.ts'
import { CountingWorker } from './counting-worker.ts'
import type { Api, BrokerError, RefusableApi } from './error-answers.ts'
import { startProxied, type ProxiedEnvironment } from './proxied-environment.ts'
import { wireWorld } from './wire-world.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const moved: readonly BrokerError[] = ['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE']
const busy: readonly BrokerError[] = ['COORDINATOR_LOAD_IN_PROGRESS', 'CONCURRENT_TRANSACTIONS']

describe.each([{ version: 2 }, { version: 1 }] as const)(
  'when brokers refuse, transactions of version $version',
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

    /** A whole transaction with offsets, in which the second request of this kind is answered so; asks `asks` again for it. */
    async function transaction(
      api: RefusableApi,
      kind: 'refused' | 'disowned',
      error: BrokerError,
      asks: Api,
    ): Promise<number> {
      const { proxy } = environment
      const producer = await scene.producer()
      const member = scene.member()
      const beats = proxy.asked('heartbeat')
      await scene.join(member)
      // The member knows its coordinator by now, and asks no more for it while others are counted.
      await scene.world.until(() => proxy.asked('heartbeat') > beats)
      const round = async (number: number): Promise<void> => {
        const values = [scene.record(`${number}a`), scene.record(`${number}b`)]
        await producer.send(values.slice(0, 1))
        await producer.send(values.slice(1))
        const offset = { ...scene.at, offset: number, metadata: `i:${number}` }
        await producer.addOffsets([offset], member.generation!)
        await producer.commit()
      }
      await round(1)
      const [metBefore, askedBefore] = [proxy.met(kind), proxy.asked(asks)]
      proxy.answer(api, kind, error, 2)

      await round(2)
      await round(3)
      const askedAgain = proxy.asked(asks) - askedBefore

      expect(proxy.met(kind)).toBe(metBefore + 2)
      expect(await scene.values()).toEqual(['1a', '1b', '2a', '2b', '3a', '3b'])
      const offsets = await scene.cluster.admin.committedOffsets(scene.groupId, [scene.at])
      expect(offsets.get(`${scene.topic}/0`)).toEqual({ offset: 3, metadata: 'i:3' })
      return askedAgain
    }

    const coordinated: readonly RefusableApi[] = [
      'endTxn',
      'txnOffsetCommit',
      ...(version === 1 ? (['addPartitionsToTxn', 'addOffsetsToTxn'] as const) : []),
    ]

    test.each(coordinated.flatMap(api => moved.map(error => ({ api, error }))))(
      '$error to $api: the coordinator is looked for again, and everything is there once',
      async ({ api, error }) => {
        expect(await transaction(api, 'refused', error, 'findCoordinator')).toBe(2)
      },
    )

    test.each(coordinated.flatMap(api => busy.map(error => ({ api, error }))))(
      '$error to $api: the same coordinator is asked again, and everything is there once',
      async ({ api, error }) => {
        expect(await transaction(api, 'refused', error, 'findCoordinator')).toBe(0)
      },
    )

    test.each<{ readonly error: BrokerError; readonly refreshes: number }>([
      { error: 'NOT_LEADER_OR_FOLLOWER', refreshes: 2 },
      { error: 'FENCED_LEADER_EPOCH', refreshes: 2 },
      { error: 'NOT_ENOUGH_REPLICAS', refreshes: 0 },
    ])(
      '$error to a batch in mid-transaction: it is written once, after $refreshes looks for the leader',
      async ({ error, refreshes }) => {
        expect(await transaction('produce', 'refused', error, 'metadata')).toBe(refreshes)
      },
    )

    test.each<{ readonly error: BrokerError; readonly refreshes: number }>([
      { error: 'NOT_LEADER_OR_FOLLOWER', refreshes: 2 },
      { error: 'REQUEST_TIMED_OUT', refreshes: 0 },
      { error: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', refreshes: 0 },
    ])(
      'a batch that was written although the answer is $error is not written twice',
      async ({ error, refreshes }) => {
        expect(await transaction('produce', 'disowned', error, 'metadata')).toBe(refreshes)
      },
    )

    test('offsets that were committed although the answer is REQUEST_TIMED_OUT are committed', async () => {
      const looks = transaction(
        'txnOffsetCommit',
        'disowned',
        'REQUEST_TIMED_OUT',
        'findCoordinator',
      )
      expect(await looks).toBe(0)
    })

    test.runIf(version === 2)(
      'a transaction that was ended although the answer is NOT_COORDINATOR has ended once',
      async () => {
        const looks = transaction('endTxn', 'disowned', 'NOT_COORDINATOR', 'findCoordinator')
        expect(await looks).toBe(2)
      },
    )

    test.each(['NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS'] as const)(
      '%s to an initialisation: it is made all the same',
      async error => {
        environment.proxy.answer('initProducerId', 'refused', error, 2)

        const producer = await scene.producer()
        await producer.send([scene.record('1')])
        await producer.commit()

        expect(await scene.values()).toEqual(['1'])
      },
    )

    test.each(['joinGroup', 'syncGroup', 'heartbeat'] as const)(
      'a coordinator of the group that has moved (%s) costs no membership',
      async api => {
        const { proxy } = environment
        const member = scene.member()
        const [met, found] = [proxy.met('refused'), proxy.asked('findCoordinator')]
        proxy.answer(api, 'refused', 'NOT_COORDINATOR', 2)

        await scene.join(member)
        await scene.world.until(() => proxy.met('refused') === met + 2)
        const beats = proxy.asked('heartbeat')
        await scene.world.until(() => proxy.asked('heartbeat') > beats + 2)

        expect(member.status).toBe('joined')
        expect(proxy.asked('findCoordinator')).toBeGreaterThanOrEqual(found + 2)
      },
    )

    test(`whatever goes wrong, every number is there once and in order (SEED=${seed})`, async () => {
      const { proxy } = environment
      const worker = await CountingWorker.open(scene, { transactionTimeoutMs: 4000 })
      const reader = new CountingReader(scene, 3)
      const before = new Map(kinds.map(kind => [kind, proxy.met(kind)]))
      proxy.byChance(seededRandom(seed), {
        apis: ['produce', ...coordinated, 'initProducerId', 'heartbeat'],
        rates: { request: 0.02, answer: 0.02, refused: 0.04, disowned: 0.02, slow: 0.1 },
        errors: [...moved, ...busy, 'NOT_LEADER_OR_FOLLOWER', 'REQUEST_TIMED_OUT'],
        slowMsMax: 30,
      })

      while (worker.next < 150) await worker.cycle()
      proxy.heal()
      await reader.untilSeen(worker.next)

      expect(reader.wrong(worker.next)).toEqual([])
      const met = kinds.filter(kind => proxy.met(kind) > before.get(kind)!)
      expect(met).toEqual(kinds)
    })
  },
)

const kinds = ['request', 'answer', 'refused', 'disowned', 'slow'] as const
