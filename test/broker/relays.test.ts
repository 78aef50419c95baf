import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { checkLoad } from '../support/proof/check-load.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import {
  addressOf,
  type PlannedRequest,
  planLoad,
  recordsOf,
} from '../support/proof/request-load.ts'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const connectionsEach = 10

let world: ProofWorld
let first: CountingSmtpProcess
let second: CountingSmtpProcess
let instances: MailonceInstance[]

const startRelay = (name: string, port?: number): Promise<CountingSmtpProcess> => {
  const file = join(world.stateRoot, `${name}.jsonl`)
  return CountingSmtpProcess.start({ delayMs: 2 }, 1, { file, ...(port && { port }) })
}

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  first = await startRelay('first')
  second = await startRelay('second')
  const config = join(world.stateRoot, 'mailonce.yaml')
  const relayOf = ({ url }: CountingSmtpProcess) => ({ url, connections: connectionsEach })
  const relays = { first: relayOf(first), second: relayOf(second) }
  // JSON is YAML.
  await writeFile(config, JSON.stringify({ relays }))
  instances = ['left', 'right'].map(name => world.run(name, { config, smtp: false }))
  await untilRunning(instances)
})

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await Promise.all([first, second].map(each => each[Symbol.asyncDispose]()))
})

/** Of each recipient, the relays that have taken a mail for it. */
async function takers(): Promise<ReadonlyMap<string, readonly string[]>> {
  const all = new Map<string, string[]>()
  for (const [name, relay] of Object.entries({ first, second }))
    for (const { recipients } of await relay.deliveries())
      for (const each of recipients) all.set(each, [...(all.get(each) ?? []), name])
  return all
}

async function untilTaken(relay: CountingSmtpProcess, count: number): Promise<void> {
  await eventually(`${count} mails`, async () => (await relay.counts()).accepted >= count)
}

const inDoubt = (planned: readonly PlannedRequest[]): string[] =>
  planned
    .map(({ request }) => request.requestId)
    .filter(id => world.outcomes.endNamesOf(id).at(-1) === 'IN_DOUBT')

test(`of two relays one is killed under load: the other takes what nobody has, and no more (SEED=${seed})`, async ({
  annotate,
}) => {
  const before = planLoad('two-relays', 1200, random)
  await world.publish(recordsOf(before))
  await untilTaken(second, 150)

  const { port } = second
  await second.kill()
  await world.untilEnded(before)
  second = await startRelay('second', port)
  const after = planLoad('both-again', 300, random)
  const known = (await second.counts()).accepted
  await eventually('the second is back in use', async () => {
    const probe = planLoad('probe', 20, random)
    await world.publish(recordsOf(probe))
    await world.untilEnded(probe)
    return (await second.counts()).accepted > known
  })
  await world.publish(recordsOf(after))
  await world.untilEnded(after)
  await world.untilCalledBack([...before, ...after])
  await world.client.caughtUp()

  const taken = await takers()
  const times = new Map([...taken].map(([address, names]) => [address, names.length]))
  const report = checkLoad([...before, ...after], world.outcomes, times)
  const doubted = inDoubt([...before, ...after])
  await annotate(JSON.stringify({ ...report, broken: report.broken.length }))
  expect(report.broken).toEqual([])
  // Each connection of each instance may have been between a dot and its reply.
  expect(doubted.length).toBeLessThanOrEqual(2 * connectionsEach)
  expect(doubted.filter(id => taken.get(addressOf(id))?.includes('first'))).toEqual([])
  const relays = doubted.map(id => world.outcomes.endsOf(id).at(-1)?.record.relay)
  expect(new Set(relays)).toEqual(new Set(doubted.length > 0 ? [`127.0.0.1:${port}`] : []))
  expect((await first.counts()).accepted).toBeGreaterThan(before.length / 4)
  expect(await Promise.all(instances.map(each => each.stop()))).toEqual([0, 0])
})
