import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import {
  addressOf,
  type PlannedRequest,
  planLoad,
  recordsOf,
} from '../support/proof/request-load.ts'

const requestCount = Number(process.env['REQUESTS'] ?? 600)
const kills = Number(process.env['KILLS'] ?? 4)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const names = ['a', 'b']
const random = seededRandom(seed)

let world: ProofWorld

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
})

afterAll(() => world[Symbol.asyncDispose]())

/** Killed again and again while there is work; `guarantee` of each life that follows. */
async function publishAmongKills(
  planned: readonly PlannedRequest[],
  guarantee: () => string,
): Promise<Map<string, MailonceInstance>> {
  const start = (name: string): MailonceInstance => world.run(name, { guarantee: guarantee() })
  const running = new Map(names.map(name => [name, start(name)]))
  await untilRunning([...running.values()])
  const size = Math.ceil(planned.length / kills)
  for (let kill = 0; kill < kills; kill += 1) {
    const part = planned.slice(kill * size, (kill + 1) * size)
    const enough = (await world.relay.counts()).accepted + Math.ceil(random.next() * size * 0.6)
    await world.publish(recordsOf(part))
    await eventually('the relay takes more', async () => {
      return (await world.relay.counts()).accepted >= enough
    })
    const victim = names[kill % names.length]!
    await running.get(victim)!.kill()
    running.set(victim, start(victim))
  }
  return running
}

const both = ['at-least-once', 'exactly-once']
let lives = 0

test.for([
  { rule: 'without transactions', guarantee: () => 'at-least-once' },
  { rule: 'with transactions in every other life', guarantee: () => both[(lives += 1) % 2]! },
])(
  `what is killed again and again $rule loses nothing (SEED=${seed})`,
  async ({ guarantee }, { annotate }) => {
    const planned = planLoad('at-least-once', requestCount, random)

    const running = await publishAmongKills(planned, guarantee)
    await world.untilEnded(planned)
    await world.untilCalledBack(planned)
    const exitCodes = await Promise.all([...running.values()].map(each => each.stop()))
    await world.client.caughtUp()

    const mailed = await world.mailed()
    const timesOf = ({ request }: PlannedRequest): number =>
      mailed.get(addressOf(request.requestId)) ?? 0
    const endsOf = ({ request }: PlannedRequest): readonly string[] =>
      world.outcomes.endNamesOf(request.requestId)
    const count = (which: (each: PlannedRequest) => boolean): number => planned.filter(which).length
    await annotate(
      JSON.stringify({
        mailedTwice: count(each => timesOf(each) > 1),
        endedTwice: count(each => endsOf(each).length > 1),
        inDoubt: count(each => endsOf(each).includes('IN_DOUBT')),
      }),
    )
    expect(planned.filter(each => timesOf(each) === 0 && endsOf(each).includes('SENT'))).toEqual([])
    expect(planned.filter(each => timesOf(each) === 0 && endsOf(each).length === 0)).toEqual([])
    expect(exitCodes).toEqual([0, 0])
  },
)
