import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { type PlannedRequest, planLoad, recordsOf } from '../support/proof/request-load.ts'

// More of everything with, for example: REQUESTS=20000 KILLS=40 SEED=7 npx vitest run test/broker/kill-proof.test.ts
const requestCount = Number(process.env['REQUESTS'] ?? 2000)
const kills = Number(process.env['KILLS'] ?? 6)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const names = ['a', 'b', 'c']
const random = seededRandom(seed)

let world: ProofWorld

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
})

afterAll(() => world[Symbol.asyncDispose]())

/** One of them is a static member, which comes back to its partitions; the others join as somebody new. */
function startInstance(name: string): MailonceInstance {
  return world.run(name, name === 'c' ? { 'static-membership': true } : {})
}

/** Publishes the load bit by bit, and kills one or two in the middle of each bit. */
async function publishAmongKills(
  planned: readonly PlannedRequest[],
  running: Map<string, MailonceInstance>,
): Promise<void> {
  const size = Math.ceil(planned.length / kills)
  for (let kill = 0; kill < kills; kill += 1) {
    const part = planned.slice(kill * size, (kill + 1) * size)
    const before = (await world.relay.counts()).accepted
    const enough = before + Math.ceil(random.next() * part.length * 0.6)
    await world.publish(recordsOf(part))
    await eventually('the relay takes more', async () => {
      return (await world.relay.counts()).accepted >= enough
    })
    const victims = names.toSorted(() => random.next() - 0.5).slice(0, random.next() < 0.3 ? 2 : 1)
    await Promise.all(victims.map(name => running.get(name)!.kill()))
    for (const name of victims) running.set(name, startInstance(name))
  }
}

test(`what is killed again and again loses nothing and mails nothing twice (SEED=${seed})`, async ({
  annotate,
}) => {
  const planned = planLoad('killed', requestCount, random)
  const running = new Map(names.map(name => [name, startInstance(name)]))
  await untilRunning([...running.values()])

  await publishAmongKills(planned, running)
  await world.untilEnded(planned)
  await world.untilCalledBack(planned)
  const exitCodes = await Promise.all([...running.values()].map(each => each.stop()))
  await world.client.caughtUp()

  const report = checkLoad(planned, world.outcomes, await world.mailed())
  await annotate(JSON.stringify({ ...report, broken: report.broken.length }))
  expect(report.broken).toEqual([])
  expect(report.sent + report.inDoubt).toBe(requestCount)
  expect(exitCodes).toEqual([0, 0, 0])
})

test('instances whose disks are gone know every request again, and mail new ones once', async () => {
  const [old, fresh] = [planLoad('known', 300, random), planLoad('fresh', 100, random)]
  const first = names.map(startInstance)
  await world.publish(recordsOf(old))
  await world.untilEnded(old)
  await first[0]!.kill()
  await Promise.all([first[1]!.stop(), first[2]!.kill()])
  await Promise.all(names.map(name => rm(world.stateDirectory(name), { recursive: true })))
  const mailedBefore = await world.mailed()

  const again = old.map(each => ({
    ...each,
    duplicates: [...each.duplicates, { request: each.request, placement: {} }],
  }))
  const second = names.map(startInstance)
  await world.publish(old)
  await world.publish(recordsOf(fresh))
  await world.untilEnded(fresh)
  await world.untilCalledBack([...again, ...fresh])
  const exitCodes = await Promise.all(second.map(each => each.stop()))
  await world.client.caughtUp()

  const mailed = await world.mailed()
  const report = checkLoad([...again, ...fresh], world.outcomes, mailed)
  expect(report).toEqual({ broken: [], sent: 400, inDoubt: 0, revised: 0 })
  expect(mailed.size).toBe(mailedBefore.size + fresh.length)
  expect(exitCodes).toEqual([0, 0, 0])
})
