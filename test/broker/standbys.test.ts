import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
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

test(`where an instance dies another goes on from its copies, and mails nothing twice (SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  const [before, after] = [planLoad('before', 200, random), planLoad('after', 200, random)]
  const settings = { standbys: '1' } as const
  const [killed, heir] = [world.run('copied', settings), world.run('copying', settings)]
  await untilRunning([killed, heir])
  await world.publish(recordsOf(before))
  await world.untilEnded(before)
  const tasks = await eventuallyTasksOf(killed.log)

  await killed.kill()
  await world.publish(recordsOf(after))
  await world.untilEnded(after)
  await world.untilCalledBack([...before, ...after])
  const exitCode = await heir.stop()
  await world.client.caughtUp()

  const promoted = heir.log.filter(line => line['event'] === 'standby-promoted')
  expect(new Set(promoted.map(line => line['task']))).toEqual(tasks)
  const report = checkLoad([...before, ...after], world.outcomes, await world.mailed())
  expect(report).toMatchObject({ broken: [] })
  expect(exitCode).toBe(0)
})

/** Of the assignment that shares the tasks between both. */
async function eventuallyTasksOf(
  log: readonly Readonly<Record<string, unknown>>[],
): Promise<ReadonlySet<unknown>> {
  const last = (): readonly unknown[] =>
    (log.findLast(line => line['event'] === 'assigned')?.['tasks'] ?? []) as unknown[]
  await eventually('the tasks are shared', () => last().length > 0)
  return new Set(last())
}
