import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { EnvelopeIds } from '../../src/email/envelope-ids.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import { bounceMessage } from '../support/bounce-message.ts'
import { emailRequested } from '../support/email-requests.ts'
import { handIn } from '../support/hand-in.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'

const prefix = `bounce-${Date.now().toString(36)}`
const key = 'a key that nobody guesses'
const envelopeIds = new EnvelopeIds(key)

let world: ProofWorld
let instance: MailonceInstance
let made = 0

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  await writeFile(join(world.stateRoot, 'bounces.yaml'), `bounces:\n  key: ${key}\n`)
  await startInstance()
})

afterAll(() => world[Symbol.asyncDispose]())

async function startInstance(): Promise<void> {
  const config = join(world.stateRoot, 'bounces.yaml')
  instance = world.run('bouncing', { config, lmtp: '127.0.0.1:0' })
  await untilRunning([instance])
}

const door = (): { readonly address: string } => ({
  address: String(instance.log.find(line => line['event'] === 'lmtp')?.['address']),
})

/** A request that the relay has taken. */
async function sent(): Promise<EmailRequested> {
  const requestId = `${prefix}-${(made += 1)}`
  const request = emailRequested({
    requestId,
    to: [`${requestId}@example.com`],
    callback: { context: {}, url: null },
    requestedAt: Date.now(),
  })
  await world.publish([{ request, placement: {} }])
  await eventually('an end', () => world.outcomes.endsOf(requestId).length > 0)
  return request
}

function reportOf(request: EmailRequested, ids = envelopeIds): Buffer {
  const recipient = `rfc822;${request.to[0]}`
  const recipients = [{ 'Final-Recipient': recipient, Action: 'failed', Status: '5.1.1' }]
  return bounceMessage({ envelopeId: ids.of(request), recipients })
}

const outcomesOf = ({ requestId }: EmailRequested): readonly string[] =>
  world.outcomes.callbacksOf(requestId).map(each => `${each.sequence} ${each.outcome}`)

const untilBounced = (request: EmailRequested): Promise<void> =>
  eventually('a bounce', () => outcomesOf(request).some(each => each.endsWith('BOUNCED')))

test('what was answered with 250 becomes one callback, although the instance is killed and it is handed in twice', async () => {
  const request = await sent()
  const answers = [await handIn(door(), reportOf(request))]
  await instance.kill()
  await startInstance()
  answers.push(await handIn(door(), reportOf(request)))
  const last = await sent()
  // In as many partitions as there are: what was handed in before has been read when these have.
  for (let turn = 0; turn < 6; turn += 1) await handIn(door(), reportOf(last))
  await untilBounced(request)
  await untilBounced(last)

  expect(answers).toEqual([
    expect.stringContaining('250 2.0.0') as unknown,
    expect.stringContaining('250 2.0.0') as unknown,
  ])
  expect([outcomesOf(request), outcomesOf(last)]).toEqual([
    ['1 SENT', '2 BOUNCED'],
    ['1 SENT', '2 BOUNCED'],
  ])
})

test('who is gone for good gets no mail any more', async () => {
  const request = await sent()
  await handIn(door(), reportOf(request))
  await untilBounced(request)
  let reason = ''
  await eventually('a refusal', async () => {
    // The list reaches the instance a moment after the callback.
    const requestId = `${prefix}-${(made += 1)}`
    const again = emailRequested({ requestId, to: request.to, requestedAt: Date.now() })
    await world.publish([{ request: again, placement: {} }])
    await eventually('an end', () => world.outcomes.endsOf(requestId).length > 0)
    const end = world.outcomes.endsOf(requestId)[0]
    reason = end?.record.recipients[0]?.reply ?? ''
    return end?.kind === 'FAILED'
  })

  expect(reason).toBe('550 5.7.1 suppressed: HARD_BOUNCE')
})

test('a forged report goes to the dead letters', async () => {
  const request = await sent()
  const forged = reportOf(request, new EnvelopeIds('another key, just as long'))

  await handIn(door(), forged)
  const letters = () => world.outcomes.deadLetters.filter(each => each.value?.equals(forged))
  await eventually('a dead letter', () => letters().length > 0)

  expect(outcomesOf(request)).toEqual(['1 SENT'])
})
