import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { EmailRequested } from '../../src/email/records.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { SmtpInbox } from '../../src/dev/smtp-inbox.ts'
import { emailRequested } from '../support/email-requests.ts'
import { eventually } from '../support/proof/eventually.ts'
import { ForeignClient, type ForeignRecord } from '../support/proof/foreign-client.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { applicationId, ProofWorld, untilRunning } from '../support/proof/proof-world.ts'
import { partitions, type Placement } from '../support/proof/request-load.ts'

const dayMs = 86_400_000
const callback = { context: { order: '4711' }, url: null }
const prefix = Date.now().toString(36)

let world: ProofWorld
let inbox: SmtpInbox
let instances: MailonceInstance[]
let made = 0

const startInstances = (): MailonceInstance[] =>
  ['left', 'right'].map(name => world.run(name, { smtp: inbox.url, retry: '1s,1s' }))

beforeAll(async () => {
  inbox = await SmtpInbox.start()
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  instances = startInstances()
  await untilRunning(instances)
})

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await inbox[Symbol.asyncDispose]()
})

/** A request that nobody has asked for yet, to a recipient of its own. */
function newRequest(fields: Partial<EmailRequested> = {}): EmailRequested {
  const requestId = `kind-${prefix}-${(made += 1)}`
  const to = [`${requestId}@example.com`]
  return emailRequested({ requestId, to, requestedAt: Date.now(), callback, ...fields })
}

const publish = (request: EmailRequested, placement: Placement = {}): Promise<void> =>
  world.publish([{ request, placement }])

const mailsTo = (address: string) =>
  inbox.mails().filter(({ recipients }) => recipients.includes(address))

/** Waits for so many ends and callbacks, and tells their names. */
async function told(
  { requestId }: EmailRequested,
  expected: { readonly ends: number; readonly callbacks: number },
): Promise<{ readonly ends: readonly string[]; readonly callbacks: readonly string[] }> {
  const { outcomes } = world
  const callbacks = () => outcomes.callbacksOf(requestId).map(each => each.outcome)
  const seen = () => ({ ends: outcomes.endNamesOf(requestId), callbacks: callbacks() })
  await eventually(
    `${requestId} is told about`,
    () => seen().ends.length >= expected.ends && seen().callbacks.length >= expected.callbacks,
    { seen },
  )
  return seen()
}

test.each<{ readonly name: string; readonly placement: Placement }>([
  { name: 'in the partition of another', placement: { partition: 0, key: Buffer.from('other') } },
  { name: 'without a key', placement: { partition: 1, key: null } },
  { name: 'under random bytes', placement: { key: Buffer.from([0xff, 0, 0x80]) } },
  { name: 'in a random partition', placement: { partition: 2 } },
])('a request written $name is known again wherever its repeat is', async ({ placement }) => {
  const request = newRequest()
  const repeats = Array.from({ length: partitions }, (_, partition) => ({
    request,
    placement: { partition },
  }))

  await world.publish([{ request, placement }, ...repeats])
  const { ends, callbacks } = await told(request, { ends: 1, callbacks: 1 + partitions })

  expect(ends).toEqual(['SENT'])
  expect(callbacks.toSorted()).toEqual([...repeats.map(() => 'DUPLICATE'), 'SENT'])
  expect(mailsTo(request.to[0]!)).toHaveLength(1)
  const keys = [...world.outcomes.acceptedOf(request.requestId)].map(each => each.key?.toString())
  expect(keys).toEqual([request.requestId])
})

test('the same id with other content is a conflict, each time, and leaves the original alone', async () => {
  const request = newRequest()
  const other = { ...request, subject: 'Something else' }

  await world.publish([request, other, other].map(each => ({ request: each, placement: {} })))
  const { ends, callbacks } = await told(request, { ends: 3, callbacks: 3 })

  expect(ends.toSorted()).toEqual(['CONFLICT', 'CONFLICT', 'SENT'])
  expect(callbacks.toSorted()).toEqual(['FAILED', 'FAILED', 'SENT'])
  expect(mailsTo(request.to[0]!).map(mail => mail.parsed.subject)).toEqual([request.subject])
})

test.each<{
  readonly name: string
  readonly change: (nowMs: number) => Partial<EmailRequested>
  readonly reason: string
}>([
  {
    name: 'from before the window',
    change: nowMs => ({ requestedAt: nowMs - 8 * dayMs }),
    reason: 'TOO_OLD',
  },
  {
    name: 'from more than a day ahead',
    change: nowMs => ({ requestedAt: nowMs + 2 * dayMs }),
    reason: 'INVALID',
  },
  { name: 'that has expired', change: nowMs => ({ expiresAt: nowMs - 1 }), reason: 'EXPIRED' },
  {
    name: 'that expires while the relay puts it off',
    change: nowMs => ({ to: [`defer+${prefix}@example.com`], expiresAt: nowMs + 1500 }),
    reason: 'EXPIRED',
  },
  {
    name: 'with a line break in its subject',
    change: () => ({ subject: 'Hello\r\nBcc: eve@example.com' }),
    reason: 'INVALID',
  },
  { name: 'to nobody', change: () => ({ to: [] }), reason: 'INVALID' },
])('a request $name ends as $reason and is not mailed', async ({ change, reason }) => {
  const request = newRequest(change(Date.now()))

  await publish(request)
  const { ends, callbacks } = await told(request, { ends: 1, callbacks: 1 })

  expect({ ends, callbacks }).toEqual({ ends: [reason], callbacks: ['FAILED'] })
  expect(mailsTo(`${request.requestId}@example.com`)).toEqual([])
})

test('a request is not mailed before its time', async () => {
  const notBefore = Date.now() + 2500
  const request = newRequest({ notBefore })

  await publish(request)
  const { ends } = await told(request, { ends: 1, callbacks: 1 })

  expect(ends).toEqual(['SENT'])
  expect(mailsTo(request.to[0]!)[0]?.receivedAtMs).toBeGreaterThanOrEqual(notBefore)
})

test('recipients have fates of their own and the request has one end', async () => {
  const name = `kind-${prefix}`
  const [good, refused, later] = [
    `${name}-x@example.com`,
    `reject+${name}@example.com`,
    `defer-once+${name}@example.com`,
  ]
  const request = newRequest({ to: [good], cc: [refused], bcc: [later] })

  await publish(request)
  const { ends, callbacks } = await told(request, { ends: 1, callbacks: 1 })

  expect({ ends, callbacks }).toEqual({ ends: ['SENT'], callbacks: ['SENT'] })
  expect(world.outcomes.endsOf(request.requestId)[0]?.record).toMatchObject({
    attempts: 2,
    recipients: [
      { address: good, status: 'ACCEPTED' },
      { address: refused, status: 'REJECTED', reply: expect.stringMatching(/^550/) },
      { address: later, status: 'ACCEPTED' },
    ],
  })
  const mails = [good, refused, later].map(address => mailsTo(address))
  expect(mails.map(each => each.length)).toEqual([1, 0, 1])
  expect(mails[0]![0]!.raw.equals(mails[2]![0]!.raw)).toBe(true)
})

test('nobody answers after the dot: in doubt, held, and a repeat is told so', async () => {
  const request = newRequest({ to: [`drop+${prefix}@example.com`] })

  await publish(request)
  await told(request, { ends: 1, callbacks: 1 })
  await publish(request)
  const { ends, callbacks } = await told(request, { ends: 1, callbacks: 2 })

  expect({ ends, callbacks }).toEqual({ ends: ['IN_DOUBT'], callbacks: ['IN_DOUBT', 'DUPLICATE'] })
  expect(world.outcomes.callbacksOf(request.requestId)[1]?.detail).toMatch(/^IN_DOUBT/)
  expect(mailsTo(request.to[0]!)).toHaveLength(1)
})

test('what cannot be decoded goes to the dead letters as it came, and its partition goes on', async () => {
  const good = world.encode(newRequest())
  const [wrongMagic, unknownSchema] = [Buffer.from(good), Buffer.from(good)]
  wrongMagic.writeUInt8(7, 0)
  unknownSchema.writeUInt32BE(987_654, 1)
  const values = [
    null,
    Buffer.alloc(0),
    wrongMagic,
    good.subarray(0, good.length - 3),
    good.subarray(0, 4),
    unknownSchema,
  ]
  const before = world.outcomes.deadLetters.length
  const poison = values.map((value, index): ForeignRecord => ({
    topic: topicNames.requested,
    partition: 3,
    key: index % 2 === 0 ? null : Buffer.from([0xff, index]),
    value,
    headers: { 'x-team': `${prefix}-${index}` },
  }))
  const next = newRequest()

  await world.client.publish(poison)
  await publish(next, { partition: 3 })
  await told(next, { ends: 1, callbacks: 1 })
  await world.client.caughtUp()

  const letters = world.outcomes.deadLetters.slice(before)
  expect(letters.map(({ key, value }) => ({ key, value }))).toEqual(
    poison.map(({ key, value }) => ({ key, value })),
  )
  for (const [index, { headers }] of letters.entries()) {
    const text = (name: string) => headers.get(name)?.toString()
    expect(text('x-team')).toBe(`${prefix}-${index}`)
    expect(text('error.code')).toBe('RECORD_UNDECODABLE')
    expect(text('error.message')).toMatch(/\w/)
    expect([text('source.topic'), text('source.partition')]).toEqual([topicNames.requested, '3'])
    expect(text('source.offset')).toMatch(/^\d+$/)
    expect(Math.abs(Number(text('failed.at')) - Date.now())).toBeLessThan(600_000)
  }
})

test('callbacks that nobody reads wait for whoever comes, each once, and nothing is mailed again for it', async () => {
  const requests = Array.from({ length: 10 }, () => newRequest())
  await world.publish(requests.map(request => ({ request, placement: {} })))
  for (const request of requests) await told(request, { ends: 1, callbacks: 1 })
  const { mailsTotal } = inbox

  // Nobody has subscribed for this team until now.
  const waiting: string[] = []
  await using subscriber = await ForeignClient.start(
    world.servers.kafka,
    [topicNames.callback],
    ({ key }) => void waiting.push(String(key)),
  )
  await subscriber.caughtUp()

  const ids = requests.map(each => each.requestId)
  expect(waiting.filter(id => ids.includes(id)).toSorted()).toEqual(ids.toSorted())
  expect(inbox.mailsTotal).toBe(mailsTotal)
})

test('offsets set back to the beginning mail nothing again and tell nobody twice', async () => {
  const { outcomes } = world
  const some = Array.from({ length: 20 }, () => newRequest())
  const conflicts = some.map(request => ({ ...request, subject: 'Something else' }))
  await world.publish(
    [...some, ...some, ...conflicts].map(request => ({ request, placement: { partition: 4 } })),
  )
  for (const request of some) await told(request, { ends: 2, callbacks: 3 })
  const seen = () =>
    requestIds.map(id => [
      id,
      outcomes.endNamesOf(id),
      outcomes.callbacksOf(id).map(each => each.eventId),
      outcomes.acceptedOf(id).length,
    ])
  // What is too old leaves no identity behind, and so it is told again that it is too old.
  const requestIds = Array.from(
    { length: made },
    (_, index) => `kind-${prefix}-${index + 1}`,
  ).filter(id => !outcomes.endNamesOf(id).includes('TOO_OLD'))
  const exitCodes = await Promise.all(instances.map(each => each.stop()))
  await world.client.caughtUp()
  const [mailed, before] = [inbox.mailsTotal, seen()]

  await world.client.rewind(applicationId)
  instances = startInstances()
  // One in every partition, written last: when they have ended, everything before has been read again.
  const last = Array.from({ length: partitions * 10 }, () => newRequest())
  await world.publish(last.map(request => ({ request, placement: {} })))
  for (const request of last) await told(request, { ends: 1, callbacks: 1 })
  await world.client.caughtUp()

  expect(exitCodes).toEqual([0, 0])
  expect(inbox.mailsTotal).toBe(mailed + last.length)
  expect(seen()).toEqual(before)
})
