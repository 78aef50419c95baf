import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { planLoad, recordsOf } from '../support/proof/request-load.ts'

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

/** The tasks that each thread was last given. */
function tasksByThread({ log }: MailonceInstance): readonly (readonly string[])[] {
  return ['0', '1'].map(thread => {
    const assigned = log.filter(each => each['event'] === 'assigned' && each['thread'] === thread)
    return (assigned.at(-1)?.['tasks'] ?? []) as string[]
  })
}

test(`two threads of one process share the tasks and answer as one (SEED=${seed})`, async () => {
  const planned = planLoad('threads', 400, random)
  const instance = world.run('threads', { threads: '2' })
  await untilRunning([instance])

  await world.publish(recordsOf(planned))
  await world.untilEnded(planned)
  await world.untilCalledBack(planned)

  const [first = [], second = []] = tasksByThread(instance)
  const sends = [first, second].map(tasks => tasks.filter(id => id.startsWith('send_')).length)
  expect(sends).toEqual([3, 3])
  const answers = await Promise.all(
    planned.map(({ request }) =>
      instance.get(`/requests/${encodeURIComponent(request.source)}/${request.requestId}`),
    ),
  )
  expect(new Set(answers.map(each => each.status))).toEqual(new Set([200]))
  const inDoubt = JSON.parse((await instance.get('/requests/in-doubt')).text) as object
  expect(inDoubt).toMatchObject({ parts: 6, partsOfAll: 6, requests: [] })
  const metrics = (await instance.get('/metrics')).text
  expect(metrics).toMatch(/^mailonce_tasks\{state="running"\} 30$/m)
  expect(metrics).toMatch(/^mailonce_records_in_total\{topic="email.dedup"\} 400$/m)
  expect(await instance.stop()).toBe(0)
  await world.client.caughtUp()
  const report = checkLoad(planned, world.outcomes, await world.mailed())
  expect(report).toEqual({ broken: [], sent: planned.length, inDoubt: 0, revised: 0 })
})
