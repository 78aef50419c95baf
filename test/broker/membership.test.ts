import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { type PlannedRequest, planLoad, recordsOf } from '../support/proof/request-load.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)

let world: ProofWorld

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
})

afterAll(() => world[Symbol.asyncDispose]())

/** Publishes the load and returns in the middle of it. */
async function publishHalfway(planned: readonly PlannedRequest[]): Promise<void> {
  const before = (await world.relay.counts()).accepted
  await world.publish(recordsOf(planned))
  await eventually('half of it is mailed', async () => {
    return (await world.relay.counts()).accepted >= before + planned.length / 2
  })
}

test(`one instance becomes three and then two under load, and nothing is in doubt (SEED=${seed})`, async () => {
  const parts = ['alone', 'growing', 'shrinking'].map(name => planLoad(name, 600, random))
  const [alone = [], growing = [], shrinking = []] = parts
  const first = world.run('one')
  await untilRunning([first])

  await publishHalfway(alone)
  const others = [world.run('two'), world.run('three')]
  await publishHalfway(growing)
  await untilRunning(others)
  await publishHalfway(shrinking)
  const exitCode = await first.stop()
  const all = parts.flat()
  await world.untilEnded(all)
  await world.untilCalledBack(all)
  const exitCodes = await Promise.all(others.map(each => each.stop()))
  await world.client.caughtUp()

  const report = checkLoad(all, world.outcomes, await world.mailed())
  expect(report).toEqual({ broken: [], sent: all.length, inDoubt: 0, revised: 0 })
  expect([exitCode, ...exitCodes]).toEqual([0, 0, 0])
})

test(`an instance frozen for longer than its session mails nothing twice and comes back (SEED=${seed})`, async () => {
  const parts = ['before', 'during', 'after'].map(name => planLoad(name, 200, random))
  const [before = [], during = [], after = []] = parts
  const [frozen, other] = [world.run('frozen'), world.run('other')]
  await untilRunning([frozen, other])
  // Slow replies, so that it is frozen in the middle of many mails.
  await world.relay.setFaults({ delayMs: 100 })
  onTestFinished(() => world.relay.setFaults({}))
  await publishHalfway(before)

  frozen.signal('SIGSTOP')
  await world.publish(recordsOf(during))
  await world.untilEnded([...before, ...during])
  const assignments = frozen.count('assigned')
  frozen.signal('SIGCONT')
  await eventually('it is back', async () => {
    return frozen.count('assigned') > assignments && (await frozen.status('/readyz')) === 200
  })
  await world.publish(recordsOf(after))
  const all = parts.flat()
  await world.untilEnded(all)
  // Whoever was frozen between a dot and its reply reads the reply now, and so no doubt remains.
  await eventually('no doubt remains', () => {
    return all.every(each => world.outcomes.endNamesOf(each.request.requestId).at(-1) === 'SENT')
  })
  await world.untilCalledBack(all)
  const exitCodes = await Promise.all([frozen.stop(), other.stop()])
  await world.client.caughtUp()

  const report = checkLoad(all, world.outcomes, await world.mailed())
  expect(report).toMatchObject({ broken: [], sent: all.length, inDoubt: 0 })
  expect(exitCodes).toEqual([0, 0])
})
