import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import type { FetchedBatch } from '../../src/runtime/ports.ts'
import { ContractScene } from '../contract/cluster-world.ts'
import { CountingWorker } from './counting-worker.ts'
import { wireWorld } from './wire-world.ts'

const partitions = 3

describe('on three brokers', { timeout: 300_000 }, () => {
  let environment: DevEnvironment
  let scene: ContractScene
  beforeAll(async () => {
    environment = await DevEnvironment.start({
      environment: process.env,
      schemaRegistry: false,
      kafka: { brokers: 3, heapMb: 384 },
    })
  }, 300_000)
  beforeEach(async () => {
    scene = await ContractScene.open(wireWorld(environment.kafka.bootstrapServers()))
  })
  afterEach(() => scene.close())
  afterAll(() => environment[Symbol.asyncDispose]())

  /** A worker and a reader of what it commits. */
  async function startCounting() {
    const cluster = scene.connect()
    const worker = new CountingWorker({
      cluster,
      producer: cluster.createProducer({
        transactionalId: `${scene.topic}-worker`,
        transactionTimeoutMs: 20_000,
      }),
      member: scene.member({ sessionTimeoutMs: 20_000, rebalanceTimeoutMs: 20_000 }),
      topic: scene.topic,
      groupId: scene.groupId,
      partitions,
    })
    await worker.start()
    const fetcher = scene.fetcher()
    const seen = Array.from({ length: partitions }, (): number[] => [])
    const take = (batch: FetchedBatch): void => {
      for (const record of batch.records) seen[batch.partition]?.push(Number(record.value))
    }
    fetcher.onReady(() => fetcher.poll().forEach(take))
    for (let partition = 0; partition < partitions; partition += 1)
      fetcher.assign({ topic: scene.topic, partition }, 0)
    return { worker, seen }
  }

  test.each([
    { what: 'stopped', disturb: (nodeId: number) => environment.kafka.stopBroker(nodeId) },
    { what: 'killed', disturb: (nodeId: number) => environment.kafka.killBroker(nodeId) },
  ])(
    'every number is there once and in order while each broker in turn is $what and comes back',
    async ({ disturb }) => {
      const { worker, seen } = await startCounting()
      const rolling = { over: false }
      const restarts = (async () => {
        for (const nodeId of environment.kafka.nodeIds) {
          await disturb(nodeId)
          // It must work without the broker, and with the moved leaders and coordinators, before the next one goes.
          const without = worker.next + 5
          await scene.world.until(() => worker.next >= without)
          await environment.kafka.startBroker(nodeId)
          const back = worker.next + 5
          await scene.world.until(() => worker.next >= back)
        }
      })().finally(() => void (rolling.over = true))

      while (!rolling.over) await worker.cycle()
      await restarts

      const numbers = Array.from({ length: worker.next }, (_, index) => index)
      const expected = [numbers.flatMap(each => [each, each]), numbers, numbers]
      await scene.world.until(() =>
        seen.every((each, index) => each.length >= expected[index]!.length),
      )
      expect(seen).toEqual(expected)
    },
  )
})
