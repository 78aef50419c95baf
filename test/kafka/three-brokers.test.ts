import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { ContractScene } from '../contract/cluster-world.ts'
import { CountingReader } from './counting-reader.ts'
import { CountingWorker } from './counting-worker.ts'
import { wireWorld } from './wire-world.ts'

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

  test.each([
    { what: 'stopped', disturb: (nodeId: number) => environment.kafka.stopBroker(nodeId) },
    { what: 'killed', disturb: (nodeId: number) => environment.kafka.killBroker(nodeId) },
  ])(
    'every number is there once and in order while each broker in turn is $what and comes back',
    async ({ disturb }) => {
      const worker = await CountingWorker.open(scene, { transactionTimeoutMs: 20_000 })
      const reader = new CountingReader(scene, 3)
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

      await reader.untilSeen(worker.next)
      expect(reader.wrong(worker.next)).toEqual([])
    },
  )
})
