import { beforeEach, describe, expect, test } from 'vitest'
import { refuseSecondDeployment } from '../../src/cli/second-deployment.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { HardWorld } from './hard-world.ts'
import { plainTopics, plainTopology } from './plain-topology.ts'

let world: HardWorld

beforeEach(() => {
  world = new HardWorld(7, [topicNames.requested, topicNames.dedup, ...plainTopics])
})

function accepted(by: string, partition = 1): void {
  const { broker, clock } = world.simulation
  const headers = [{ key: 'application.id', value: Buffer.from(by) }]
  const record = { key: Buffer.from('k'), value: Buffer.from('v'), timestampMs: clock.nowMs() }
  broker.append([{ ...record, topic: topicNames.dedup, partition, headers }])
}

function check(applicationId: string): Promise<void> {
  const { simulation } = world
  const process = simulation.startProcess('instance')
  const { clock } = process
  const { signal } = new AbortController()
  const cluster = simulation.connect(process)
  return simulation.settle(refuseSecondDeployment({ cluster, applicationId, clock, signal }))
}

test('a group that never read is refused where another application has accepted requests', async () => {
  accepted('first')

  await expect(check('second')).rejects.toMatchObject({
    code: 'APPLICATION_ID_CHANGED',
    message: expect.stringMatching(/'first'.*'second'.*--take-over/) as string,
  })
})

describe('no alarm', () => {
  test('for a group that has read here before', async () => {
    accepted('first')
    const at = { topic: topicNames.requested, partition: 0, offset: 0, metadata: '' }
    world.simulation.broker.group('second').offsets.set([at])

    await expect(check('second')).resolves.toBeUndefined()
  })

  test('for an empty topic, for our own records, and for records of nobody', async () => {
    await expect(check('second')).resolves.toBeUndefined()
    accepted('second')
    world.log(topicNames.dedup, 0).endTransaction(1, true, 0)
    await expect(check('second')).resolves.toBeUndefined()
  })
})

test('an instance that may not start ends before it has made or joined anything', async () => {
  const life = world.start('a', {
    topology: plainTopology(value => value),
    settings: { mayStart: () => Promise.reject(new Error('not here')) },
  })

  await world.until(() => life.over)

  expect(life.failure).toMatchObject({ message: 'not here' })
  expect(world.simulation.broker.group('app').offsets.stable([])).toEqual(new Map())
  expect(life.logged).toEqual([])
})
