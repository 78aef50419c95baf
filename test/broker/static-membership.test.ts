import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { applicationId, ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { planLoad, recordsOf } from '../support/proof/request-load.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

let world: ProofWorld

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
})

afterAll(() => world[Symbol.asyncDispose]())

test(`a static member that is killed and comes back in time gets its tasks, and the others notice nothing (SEED=${seed})`, async () => {
  const settings = { 'static-membership': true, 'session-timeout': '20s' } as const
  const planned = planLoad('static', 200, seededRandom(seed))
  const [killed, other] = [world.run('static-a', settings), world.run('static-b', settings)]
  await untilRunning([killed, other])
  const assignments = other.count('assigned')
  const tasks = tasksOf(killed.log)

  await killed.kill()
  await world.publish(recordsOf(planned))
  const back = world.run('static-a', settings)
  await untilRunning([back])
  await world.untilEnded(planned)
  await world.untilCalledBack(planned)
  await world.client.caughtUp()

  await Promise.all([back.stop(), other.stop()])
  // They stay in the group when they stop: the next test would wait for their tasks until they are given up.
  await world.client.forgetMembers(applicationId)

  expect(tasksOf(back.log)).toEqual(tasks)
  expect(other.count('assigned')).toBe(assignments)
  const report = checkLoad(planned, world.outcomes, await world.mailed())
  expect(report).toMatchObject({ broken: [], sent: planned.length })
})

/** Of the last assignment. */
function tasksOf(log: readonly Readonly<Record<string, unknown>>[]): ReadonlySet<unknown> {
  const assigned = log.findLast(line => line['event'] === 'assigned') ?? {}
  return new Set((assigned['tasks'] ?? []) as unknown[])
}
