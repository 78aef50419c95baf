import { expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { planLoad } from '../support/proof/request-load.ts'

const requestCount = Number(process.env['REQUESTS'] ?? 2000)
const kills = Number(process.env['KILLS'] ?? 6)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const names = ['a', 'b', 'c']

test(`three instances that are killed again and again lose nothing and mail nothing twice (SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  const servers = {
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  }
  await using world = await ProofWorld.start(servers)
  const planned = planLoad(`kill-${Date.now().toString(36)}`, requestCount, random)
  const running = new Map(names.map(name => [name, world.run(name)]))
  await untilRunning([...running.values()])

  const chunk = Math.ceil(requestCount / kills)
  for (let kill = 0; kill < kills; kill += 1) {
    const before = (await world.relay.counts()).accepted
    const part = planned.slice(kill * chunk, (kill + 1) * chunk)
    await world.publish([...part, ...part.flatMap(each => each.duplicates)])
    const enough = before + Math.ceil(random.next() * part.length * 0.6)
    await eventually(
      'the relay has some more mails',
      async () => (await world.relay.counts()).accepted >= enough,
    )
    const victims = names.toSorted(() => random.next() - 0.5).slice(0, random.next() < 0.3 ? 2 : 1)
    await Promise.all(victims.map(name => running.get(name)!.kill()))
    for (const name of victims) running.set(name, world.run(name))
  }
  await world.untilEnded(planned.map(each => each.request.requestId))
  const exits = await Promise.all([...running.values()].map(each => each.stop()))
  await world.client.caughtUp()

  const report = checkLoad(planned, world.outcomes, await world.mailed())
  console.log(`seed ${seed}: ${JSON.stringify({ ...report, broken: report.broken.length })}`)
  expect(report.broken).toEqual([])
  expect(exits).toEqual([0, 0, 0])
})
