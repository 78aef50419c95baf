import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { EmailRequested } from '../../src/email/records.ts'
import { emailRequested } from '../support/email-requests.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'

const prefix = Date.now().toString(36)
const limits = `
limits:
  domains:
    limited.example: { connections: 1 }
`

let world: ProofWorld
let instance: MailonceInstance

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  const config = join(world.stateRoot, 'limits.yaml')
  await writeFile(config, limits)
  instance = world.run('fair', { config, 'smtp-connections': '10', retry: '1sx60' })
  await untilRunning([instance])
})

afterAll(() => world[Symbol.asyncDispose]())

function requests(
  count: number,
  source: string,
  domain: string,
  fields: Partial<EmailRequested> = {},
): readonly EmailRequested[] {
  return Array.from({ length: count }, (_, index) => {
    const requestId = `${source}-${domain}-${prefix}-${index}`
    const to = [`${requestId}@${domain}`]
    return emailRequested({ requestId, source, to, requestedAt: Date.now(), ...fields })
  })
}

const publish = (all: readonly EmailRequested[]): Promise<void> =>
  world.publish(all.map(request => ({ request, placement: {} })))

/** How many mails to the domain the relay has taken. */
async function takenBy(domain: string): Promise<number> {
  const mails = await world.relay.deliveries()
  return mails.filter(each => each.recipients[0]!.endsWith(`@${domain}`)).length
}

/** Of the first domain when all of the second are there; what order tells, no clock has to. */
async function takenMeanwhile(slow: string, quick: string, count: number): Promise<number> {
  await eventually(`all of ${quick}`, async () => (await takenBy(quick)) >= count)
  const mails = (await world.relay.deliveries()).map(each => each.recipients[0]!.split('@')[1])
  const until = mails.lastIndexOf(quick)
  return mails.slice(0, until).filter(each => each === slow).length
}

test.each([
  { what: 'that answers slowly', domain: 'slow.example', faults: { slowMs: 1000 } },
  { what: 'with one connection', domain: 'limited.example', faults: { slowMs: 300 } },
])('a recipient domain $what holds up no other', async ({ domain, faults }) => {
  const quick = `beside.${domain}`
  await world.relay.setFaults({ ...faults, slowRecipients: `@${domain}$` })
  await publish(requests(200, 'shop', domain))
  await eventually('the slow ones begin', async () => (await takenBy(domain)) > 0)

  await publish(requests(60, 'shop', quick))
  const taken = await takenMeanwhile(domain, quick, 60)
  await world.relay.setFaults({})
  await eventually('the others too', async () => (await takenBy(domain)) >= 200)

  expect(taken).toBeLessThan(150)
})

test('a domain that asks for less gets less, others go on, and in the end everything is mailed', async () => {
  await world.relay.setFaults({ throttleRecipients: '@full.example$' })
  await publish(requests(60, 'shop', 'full.example'))
  await eventually('it is throttled', () => instance.hasLogged('throttled'))

  await publish(requests(60, 'shop', 'open.example'))
  await eventually('all others', async () => (await takenBy('open.example')) >= 60)
  const meanwhile = await takenBy('full.example')
  await world.relay.setFaults({})
  await eventually('everything', async () => (await takenBy('full.example')) >= 60, {
    withinMs: 150_000,
  })

  expect(meanwhile).toBe(0)
})

test('a hot business system holds up no other', async () => {
  await world.relay.setFaults({ delayMs: 20 })
  await publish(requests(800, 'hot', 'a.example', { priority: 'NORMAL' }))
  await eventually('it begins', async () => (await takenBy('a.example')) > 20)

  await publish(requests(40, 'mild', 'b.example', { priority: 'NORMAL' }))
  const taken = await takenMeanwhile('a.example', 'b.example', 40)
  await world.relay.setFaults({})
  await eventually('the hot ones too', async () => (await takenBy('a.example')) >= 800)

  expect(taken).toBeLessThan(600)
})
