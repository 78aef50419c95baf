import { afterAll, beforeAll, expect, test } from 'vitest'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { seededRandom } from '../../src/random.ts'
import { checkLoad, type LoadReport } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { RegistryDoor } from '../support/proof/registry-door.ts'
import { type PlannedRequest, planLoad, recordsOf } from '../support/proof/request-load.ts'
import type { RelayMode } from '../support/smtp/counting-smtp-session.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)

let environment: DevEnvironment
let door: RegistryDoor
let world: ProofWorld
let instances: MailonceInstance[]

// A broker of its own: it is killed here, and no other test should see that.
beforeAll(async () => {
  environment = await DevEnvironment.start({ environment: process.env })
  door = await RegistryDoor.open(environment.registryUrl)
  world = await ProofWorld.start({
    kafka: environment.kafka.bootstrapServers(),
    registryUrl: door.url,
  })
  instances = ['left', 'right'].map(name => world.run(name))
  await untilRunning(instances)
})

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await door[Symbol.asyncDispose]()
  await environment[Symbol.asyncDispose]()
})

async function untilMailed(count: number): Promise<void> {
  const mailed = async (): Promise<number> => (await world.relay.counts()).accepted
  await eventually(`${count} mails`, async () => (await mailed()) >= count)
}

/** Publishes the load and returns when a third of it is mailed. */
async function publishPartly(planned: readonly PlannedRequest[]): Promise<void> {
  const { accepted } = await world.relay.counts()
  await world.publish(recordsOf(planned))
  await untilMailed(accepted + planned.length / 3)
}

async function reportAtEnd(planned: readonly PlannedRequest[]): Promise<LoadReport> {
  await world.untilEnded(planned)
  await world.untilCalledBack(planned)
  await world.client.caughtUp()
  return checkLoad(planned, world.outcomes, await world.mailed())
}

test.each<{ readonly mode: RelayMode; readonly inDoubtMax: number }>([
  { mode: 'refuse', inDoubtMax: 0 },
  // Of what is cut, each connection may be between a dot and its reply.
  { mode: 'drop', inDoubtMax: 40 },
])(
  `a relay whose answer to everything is to $mode for a while costs no request (SEED=${seed})`,
  async ({ mode, inDoubtMax }) => {
    const [planned, during] = [
      planLoad(`${mode}-1`, 600, random),
      planLoad(`${mode}-2`, 100, random),
    ]
    await publishPartly(planned)

    await world.relay.setMode(mode)
    await world.publish(recordsOf(during))
    const { connections } = await world.relay.counts()
    await eventually('they try again', async () => {
      return (await world.relay.counts()).connections >= connections + 4
    })
    const failed = during.flatMap(each => world.outcomes.endsOf(each.request.requestId))
    await world.relay.setMode('normal')
    const all = [...planned, ...during]
    const report = await reportAtEnd(all)

    expect(failed).toEqual([])
    expect(report.broken).toEqual([])
    expect(report.inDoubt).toBeLessThanOrEqual(inDoubtMax)
  },
)

test.each<{ readonly how: string; readonly end: () => Promise<void> }>([
  { how: 'killed', end: () => environment.kafka.killBroker(1) },
  { how: 'stopped', end: () => environment.kafka.stopBroker(1) },
])(
  `a broker that is $how under load and comes back costs nothing (SEED=${seed})`,
  async ({ how, end }) => {
    const planned = planLoad(how, 800, random)
    await publishPartly(planned)

    await end()
    await environment.kafka.startBroker(1)
    const after = planLoad(`${how}-after`, 100, random)
    await world.publish(recordsOf(after))
    const report = await reportAtEnd([...planned, ...after])

    expect(report).toEqual({ broken: [], sent: 900, inDoubt: 0, revised: 0 })
    expect(await Promise.all(instances.map(each => each.status('/healthz')))).toEqual([200, 200])
  },
)

test(`without its registry the processor goes on, and an instance starts from what it knows (SEED=${seed})`, async () => {
  const [during, after] = [planLoad('unregistered', 300, random), planLoad('again', 300, random)]
  await door.shut()

  await publishPartly(during)
  await instances[0]!.kill()
  instances[0] = world.run('left')
  await world.publish(recordsOf(after))
  await untilRunning([instances[0]])
  const report = await reportAtEnd([...during, ...after])
  await door.reopen()

  expect(report.broken).toEqual([])
  expect(await Promise.all(instances.map(each => each.stop()))).toEqual([0, 0])
})
