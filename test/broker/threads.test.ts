import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { planLoad, recordsOf } from '../support/proof/request-load.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)

const mortalProgram = fileURLToPath(
  new URL('../support/proof/run-with-mortal-threads.ts', import.meta.url),
)

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
  expect(inDoubt).toMatchObject({ parts: 6, partsOfAll: 6 })
  const metrics = (await instance.get('/metrics')).text
  expect(metrics).toMatch(/^mailonce_tasks\{state="running"\} 30$/m)
  // What other tests have left to the same application may end here too.
  const [, ended] = /^mailonce_requests_ended_total\{effect="send",end="done"\} (\d+)$/m.exec(
    metrics,
  )!
  expect(Number(ended)).toBeGreaterThanOrEqual(planned.length)
  expect(await instance.stop()).toBe(0)
  await world.client.caughtUp()
  const report = checkLoad(planned, world.outcomes, await world.mailed())
  expect(report).toEqual({ broken: [], sent: planned.length, inDoubt: 0, revised: 0 })
})

test(`where a thread dies the process ends in order, and its next life loses and repeats nothing (SEED=${seed})`, async () => {
  const parts = ['before', 'after'].map(name => planLoad(name, 400, random))
  const [before = [], after = []] = parts
  const settings = { threads: '2' }
  const mortal = world.run('mortal', settings, mortalProgram)
  await untilRunning([mortal])
  await world.relay.setFaults({ delayMs: 50 })
  const accepted = (await world.relay.counts()).accepted

  await world.publish(recordsOf(before))
  await eventually('the relay has half of it', async () => {
    return (await world.relay.counts()).accepted >= accepted + before.length / 2
  })
  mortal.signal('SIGUSR2')
  const { exitCode, stderr } = await mortal.ended()
  await world.relay.setFaults({})
  const next = world.run('mortal', settings)
  await world.publish(recordsOf(after))
  const all = parts.flat()
  await world.untilEnded(all)
  await world.untilCalledBack(all)
  const nextCode = await next.stop()
  await world.client.caughtUp()

  expect({ exitCode, nextCode }).toEqual({ exitCode: 1, nextCode: 0 })
  expect(stderr).toContain('THREAD_DIED: thread 1 of this process has died')
  const rested = mortal.log.filter(line => line['event'] === 'worker-stopped')
  expect(rested.map(line => line['thread'])).toEqual(['0'])
  const report = checkLoad(all, world.outcomes, await world.mailed())
  expect(report.broken).toEqual([])
  expect(report.sent + report.inDoubt).toBe(all.length)
})
