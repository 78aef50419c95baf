import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { ContractScene } from '../contract/cluster-world.ts'
import type { BrokerError, RefusableApi } from './error-answers.ts'
import { startProxied, type ProxiedEnvironment } from './proxied-environment.ts'
import { wireWorld } from './wire-world.ts'

let environment: ProxiedEnvironment
let scene: ContractScene
beforeAll(async () => {
  environment = await startProxied(2)
})
beforeEach(async () => {
  scene = await ContractScene.open(wireWorld(environment.bootstrapServers))
})
afterEach(async () => {
  environment.proxy.heal()
  await scene.close()
})
afterAll(() => environment[Symbol.asyncDispose]())

test.each<{ api: RefusableApi; kind: 'refused' | 'disowned'; error: BrokerError }>([
  { api: 'produce', kind: 'refused', error: 'NOT_LEADER_OR_FOLLOWER' },
  { api: 'produce', kind: 'disowned', error: 'REQUEST_TIMED_OUT' },
  { api: 'produce', kind: 'disowned', error: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND' },
  { api: 'offsetCommit', kind: 'refused', error: 'NOT_COORDINATOR' },
  { api: 'offsetCommit', kind: 'refused', error: 'COORDINATOR_LOAD_IN_PROGRESS' },
  { api: 'offsetCommit', kind: 'disowned', error: 'REQUEST_TIMED_OUT' },
])(
  'without transactions, $error to $api ($kind): everything is there once',
  async ({ api, kind, error }) => {
    const { proxy } = environment
    const producer = await scene.idempotentProducer()
    const member = scene.member()
    await scene.join(member)
    const before = proxy.met(kind)
    proxy.answer(api, kind, error, 2)

    for (const number of [1, 2]) {
      await producer.send([scene.record(`${number}a`), scene.record(`${number}b`)])
      const offset = { ...scene.at, offset: number, metadata: `i:${number}` }
      await producer.commitOffsets([offset], member.generation!)
    }

    expect(proxy.met(kind)).toBe(before + 2)
    expect(await scene.values()).toEqual(['1a', '1b', '2a', '2b'])
    const offsets = await scene.cluster.admin.committedOffsets(scene.groupId, [scene.at])
    expect(offsets.get(`${scene.topic}/0`)).toEqual({ offset: 2, metadata: 'i:2' })
  },
)

test('who may not use transactional ids has left no transaction open, and works without', async () => {
  environment.proxy.answer('initProducerId', 'refused', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')

  const producer = await scene.idempotentProducer()
  await producer.send([scene.record('1')])

  expect(await scene.values()).toEqual(['1'])
})

test('what a failed send has given up is refused where the producer has written since', async () => {
  const { proxy } = environment
  const producer = await scene.idempotentProducer()
  await producer.send([scene.record('1')])
  proxy.lose('produce', 'late')
  proxy.answer('produce', 'refused', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')

  await expect(producer.send([scene.record('given up')])).rejects.toThrow('AUTHORIZATION_FAILED')
  await producer.init()
  await producer.send([scene.record('2')])
  const delivered = await proxy.deliverLate()

  expect(delivered).toBe(1)
  expect(await scene.values()).toEqual(['1', '2'])
})
