import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { seededRandom } from '../../src/random.ts'
import { MemoryTerminal } from '../cli/memory-terminal.ts'
import { eventually } from '../support/proof/eventually.ts'
import { applicationId, ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { type PlannedRequest, planLoad, recordsOf } from '../support/proof/request-load.ts'
import { ok, ScriptedReceiver } from '../support/webhooks/scripted-receiver.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const secret = `whsec_${Buffer.alloc(32, seed).toString('base64')}`
const names = ['webhook-a', 'webhook-b']

let world: ProofWorld
let config: string

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  config = join(world.stateRoot, 'mailonce.yaml')
  await writeFile(
    config,
    `webhooks:
  keys: [{ secret: '${secret}' }]
  retry: 200ms,500ms,1sx20
  allow-http: true
  allow-private: [127.0.0.0/8]
`,
  )
})

afterAll(() => world[Symbol.asyncDispose]())

/** Every one of them asks for a webhook. */
function withUrl(planned: readonly PlannedRequest[], url: string): readonly PlannedRequest[] {
  return planned.map(each => ({
    ...each,
    request: { ...each.request, callback: { context: {}, url } },
    duplicates: [],
  }))
}

const eventsOf = (planned: readonly PlannedRequest[]): readonly string[] =>
  planned.flatMap(({ request }) =>
    world.outcomes.callbacksOf(request.requestId).map(each => each.eventId),
  )

/** Fails, hangs up and keeps silent now and then. */
function moody(socket: Socket): void {
  const mood = random.next()
  if (mood < 0.15) socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n')
  else if (mood < 0.3) socket.destroy()
  else setImmediate(() => socket.end(ok))
}

test(`webhooks arrive at least once, and always the same, however often we are killed (SEED=${seed})`, async () => {
  await using receiver = await ScriptedReceiver.start({ onRequest: moody })
  const planned = withUrl(planLoad('hooked', 240, random), receiver.url)
  const running = new Map(names.map(name => [name, world.run(name, { config })]))
  await untilRunning([...running.values()])

  for (let kill = 0; kill < 3; kill += 1) {
    const part = planned.slice(kill * 80, (kill + 1) * 80)
    const enough = receiver.requests.length + 30
    await world.publish(recordsOf(part))
    await eventually('webhooks come', () => receiver.requests.length >= enough)
    const victim = names[kill % 2]!
    await running.get(victim)!.kill()
    running.set(victim, world.run(victim, { config }))
  }
  await world.untilCalledBack(planned)
  await world.client.caughtUp()
  const arrived = (): ReadonlySet<string> =>
    new Set(receiver.requests.map(each => each.headers['webhook-id'] ?? ''))
  await eventually('every webhook has come', () => eventsOf(planned).every(id => arrived().has(id)))
  const exitCodes = await Promise.all([...running.values()].map(each => each.stop()))

  const verifier = new Webhook(secret)
  for (const { body, headers } of receiver.requests) verifier.verify(body, headers)
  const bodies = Map.groupBy(receiver.requests, each => each.headers['webhook-id'])
  expect([...bodies.values()].filter(all => new Set(all.map(each => each.body)).size > 1)).toEqual(
    [],
  )
  expect(new Set(bodies.keys())).toEqual(new Set(eventsOf(planned)))
  expect(exitCodes).toEqual([0, 0])
})

test('410 disables a URL until a person enables it; what was refused meanwhile can be replayed', async () => {
  let answer = 'HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n'
  await using receiver = await ScriptedReceiver.start({ onRequest: socket => socket.end(answer) })
  const { url } = receiver
  const [first, second] = [1, 2].map(turn => withUrl(planLoad(`gone-${turn}`, 1, random), url))
  const instance = world.run('webhook-a', { config })
  await untilRunning([instance])
  const call = async (...argv: readonly string[]): Promise<readonly string[]> => {
    const terminal = new MemoryTerminal({ USER: 'ann' })
    const code = await main([...argv, '--kafka', world.servers.kafka], terminal)
    expect([code, terminal.told]).toEqual([0, []])
    return terminal.printed
  }
  const lettersOf = async (planned: readonly PlannedRequest[]): Promise<Letter[]> =>
    (await call('dead-letters', 'list', '--json', '--application-id', applicationId))
      .map(line => JSON.parse(line) as Letter)
      .filter(each => each.key === planned[0]?.request.requestId)
  const becomesDead = async (planned: readonly PlannedRequest[]): Promise<Letter> => {
    await world.publish(recordsOf(planned))
    await eventually('it is a dead letter', async () => (await lettersOf(planned)).length === 1)
    return (await lettersOf(planned))[0]!
  }

  const refused = await becomesDead(first!)
  await eventually('the URL is disabled', async () =>
    (await call('webhooks', 'list', '--json')).some(line => line.includes(url)),
  )
  const untried = await becomesDead(second!)
  const triesBefore = receiver.requests.length
  answer = ok
  await call('webhooks', 'enable', url)
  const listed = await call('webhooks', 'list', '--json')
  for (const { id } of [refused, untried])
    await call('dead-letters', 'replay', id, '--application-id', applicationId)
  await receiver.until(({ requests }) => requests.length === 3)
  await instance.stop()

  const ids = receiver.requests.map(each => each.headers['webhook-id'])
  expect([refused.code, untried.code]).toEqual(['WEBHOOK_REFUSED', 'WEBHOOK_REFUSED'])
  expect(untried.message).toContain('disabled since')
  expect(triesBefore).toBe(1)
  expect(listed.filter(line => line.includes(url))).toEqual([])
  expect(new Set(ids).size).toBe(2)
  const [body, again] = receiver.requests.filter(each => each.headers['webhook-id'] === ids[0])
  expect(again?.body).toBe(body?.body)
})

interface Letter {
  readonly id: string
  readonly key: string
  readonly code: string
  readonly message: string
}
