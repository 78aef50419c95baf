import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePorts } from '../../src/dev/free-ports.ts'
import { systemRandom } from '../../src/random.ts'
import { main } from '../../src/cli/main.ts'
import type { InDoubtAnswer } from '../../src/cli/request-queries.ts'
import type { RequestStatus } from '../../src/cli/request-status.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import { schemaText } from '../../src/email/schemas.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import { MemoryTerminal } from '../cli/memory-terminal.ts'
import { emailRequested } from '../support/email-requests.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { applicationId, ProofWorld, untilRunning } from '../support/proof/proof-world.ts'

const callback = { context: {}, url: null }
const prefix = Date.now().toString(36)
const hourMs = 3_600_000

let world: ProofWorld
let instances: MailonceInstance[]
let made = 0
let port = 0

/** The first one has several threads, which know as little of each other's requests as instances do. The second one is to be reached under another name than the one it listens on. */
const startInstances = (): MailonceInstance[] => [
  world.run('here', { threads: '2' }),
  world.run('there', { http: `127.0.0.1:${port}`, 'advertised-http': `localhost:${port}` }),
]

beforeAll(async () => {
  ;[port = 0] = await freePorts(1, systemRandom)
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  instances = startInstances()
  await untilRunning(instances)
})

afterAll(() => world[Symbol.asyncDispose]())

/** A request that nobody has asked for yet, to a recipient of its own. */
function newRequest(fields: Partial<EmailRequested> = {}): EmailRequested {
  const requestId = `operator-${prefix}-${(made += 1)}`
  const to = [`${requestId}@example.com`]
  return emailRequested({ requestId, to, requestedAt: Date.now(), callback, ...fields })
}

const idOf = ({ source, requestId }: EmailRequested): string => `${source}/${requestId}`

/** Calls the command; questions go to the first instance unless another is named, whoever owns what they are about. */
async function call(
  argv: readonly string[],
  asked = instances[0]!,
): Promise<{ readonly code: number; readonly printed: readonly string[]; readonly told: string }> {
  const terminal = new MemoryTerminal({ USER: 'ann' })
  const line = asked.log.find(each => each['event'] === 'http')
  const toAsk = argv[0] === 'dead-letters' ? [] : ['--http', String(line?.['address'])]
  const isQuestion = argv[0] === 'status' || argv[1] === 'list' || argv[1] === 'show'
  const toDecide = ['--kafka', world.servers.kafka, '--application-id', applicationId]
  const needsKafka = argv[0] === 'dead-letters' || !isQuestion
  const code = await main([...argv, ...toAsk, ...(needsKafka ? toDecide : [])], terminal)
  return { code, printed: terminal.printed, told: terminal.told.join('\n') }
}

async function statusOf(request: EmailRequested, asked?: MailonceInstance): Promise<RequestStatus> {
  const { printed, told } = await call(['status', idOf(request), '--json'], asked)
  if (printed.length === 0) throw new Error(told)
  return JSON.parse(printed[0]!) as RequestStatus
}

const endsOf = ({ requestId }: EmailRequested): readonly string[] =>
  world.outcomes.endNamesOf(requestId)

const callbacksOf = ({ requestId }: EmailRequested) => world.outcomes.callbacksOf(requestId)

async function untilEnded(requests: readonly EmailRequested[], times: number): Promise<void> {
  await eventually(
    `${times} ends`,
    () =>
      requests.every(
        each => endsOf(each).length >= times && callbacksOf(each).length >= endsOf(each).length,
      ),
    { seen: () => requests.map(each => [endsOf(each), callbacksOf(each).length]) },
  )
}

/** The relay takes each of them and hangs up before it says so. */
async function publishIntoDoubt(count: number): Promise<EmailRequested[]> {
  const requests = Array.from({ length: count }, () => newRequest())
  await world.relay.setFaults({ dropAfterDot: 1 })
  await world.publish(requests.map(request => ({ request, placement: {} })))
  await untilEnded(requests, 1)
  await world.relay.setFaults({})
  return requests
}

const mailsTo = async ({ to }: EmailRequested) =>
  (await world.relay.deliveries()).filter(each => each.recipients.includes(to[0]!))

test('what is in doubt is listed by any instance, wherever it lies', async () => {
  const requests = await publishIntoDoubt(8)

  const lists = await Promise.all(instances.map(each => call(['in-doubt', 'list', '--json'], each)))
  const table = await call(['in-doubt', 'list'])
  const shown = await call(['in-doubt', 'show', idOf(requests[0]!)], instances[1])

  const known = lists.map(({ printed }) =>
    printed.map(line => (JSON.parse(line) as RequestStatus).requestId),
  )
  for (const list of known)
    expect(list).toEqual(expect.arrayContaining(requests.map(each => each.requestId)))
  expect(known[0]).toEqual(known[1])
  expect(lists.map(({ code, told }) => ({ code, told }))).toEqual([
    { code: 0, told: '' },
    { code: 0, told: '' },
  ])
  for (const each of requests) expect(table.printed.join('\n')).toContain(`${idOf(each)}  `)
  expect(shown.printed[0]).toMatch(`${idOf(requests[0]!)}: IN_DOUBT, 20`)
})

test('instances are found where they say that they are', async () => {
  const [first] = instances
  const line = first!.log.find(each => each['event'] === 'http')
  const response = await fetch(`http://${String(line?.['address'])}/requests/in-doubt`)

  const { instance, instances: all } = (await response.json()) as InDoubtAnswer

  expect(instance).toBe(line?.['address'])
  expect(new Set(all)).toEqual(new Set([instance, `localhost:${port}`]))
})

test.each([
  { how: 'sent' as const, ends: ['IN_DOUBT', 'SENT'], mails: 1, outcome: 'SENT' },
  { how: 'resend' as const, ends: ['IN_DOUBT', 'SENT'], mails: 2, outcome: 'SENT' },
  { how: 'fail' as const, ends: ['IN_DOUBT', 'CANCELLED'], mails: 1, outcome: 'FAILED CANCELLED' },
])('resolved with --$how it ends once more, as $outcome', async ({ how, ends, mails, outcome }) => {
  const [request] = (await publishIntoDoubt(1)) as [EmailRequested]

  const resolved = await call(['in-doubt', 'resolve', idOf(request), `--${how}`, '--why', 'log'])
  await untilEnded([request], 2)
  const again = await call(['in-doubt', 'resolve', idOf(request), `--${how}`])
  await world.client.caughtUp()
  const status = await statusOf(request)

  expect(resolved.told).toBe('')
  expect(resolved.code).toBe(0)
  expect(endsOf(request)).toEqual(ends)
  expect(callbacksOf(request).map(each => each.sequence)).toEqual([1, 2])
  expect(again.code).toBe(1)
  expect(again.told).toContain(
    `DECISION_REFUSED: ${idOf(request)} is not in doubt: it is ${outcome}`,
  )
  expect(status.outcome).toBe(outcome)
  expect(status.decisions.map(each => each.text)).toEqual([
    expect.stringMatching(/^resolved .* by ann: log$/),
  ])
  const delivered = await mailsTo(request)
  expect(delivered).toHaveLength(mails)
  expect(new Set(delivered.map(each => `${each.messageId} ${each.contentHash}`)).size).toBe(1)
  const logged = instances.flatMap(each => each.log.filter(line => line['event'] === 'decision'))
  expect(logged.filter(line => String(line['identity']).endsWith(request.requestId))).toEqual([
    expect.objectContaining({ kind: how, by: 'ann', why: 'log', honoured: true }),
  ])
})

test('who resolved it stands in the outcome and in the callback', async () => {
  const [request] = (await publishIntoDoubt(1)) as [EmailRequested]

  await call(['in-doubt', 'resolve', idOf(request), '--fail', '--by', 'bob', '--why', 'bounced'])
  await untilEnded([request], 2)

  const text = 'resolved as failed by bob: bounced'
  const end = world.outcomes.endsOf(request.requestId)[1]
  expect(end?.record).toMatchObject({ detail: text, recipients: [{ status: 'REJECTED' }] })
  expect(callbacksOf(request)[1]?.detail).toBe(`CANCELLED: ${text}`)
})

test('a request that waits for its time is cancelled, and ends so once', async () => {
  const request = newRequest({ notBefore: Date.now() + hourMs })
  await world.publish([{ request, placement: {} }])
  await eventually('it waits', async () => {
    const { printed } = await call(['status', idOf(request), '--json'])
    return printed.some(line => (JSON.parse(line) as RequestStatus).state === 'waiting')
  })

  const cancelled = await call(['cancel', idOf(request), '--why', 'changed our mind'])
  await untilEnded([request], 1)
  const again = await call(['cancel', idOf(request)])
  const other = await statusOf(request, instances[1])

  const end = world.outcomes.endsOf(request.requestId)[0]
  expect(cancelled).toMatchObject({ code: 0, told: '' })
  expect(end?.record).toMatchObject({
    reason: 'CANCELLED',
    detail: 'cancelled by ann: changed our mind',
  })
  expect(again.code).toBe(1)
  expect(again.told).toContain('cannot be cancelled: it has ended: FAILED CANCELLED')
  expect(other).toMatchObject({ outcome: 'FAILED CANCELLED', attempts: 0 })
  expect(await mailsTo(request)).toEqual([])
})

test('a request that never came as far as sending has a status, and an unknown one has none', async () => {
  const invalid = newRequest({ to: ['nobody'] })
  await world.publish([{ request: invalid, placement: {} }])
  await untilEnded([invalid], 1)
  let status: RequestStatus | undefined
  await eventually('the end is known', async () => {
    const { printed } = await call(['status', idOf(invalid), '--json'])
    status = printed[0] === undefined ? undefined : (JSON.parse(printed[0]) as RequestStatus)
    return status !== undefined
  })

  const unknown = await call(['status', 'nobody/knows-me'])

  expect(status).toMatchObject({ state: 'ended', outcome: 'FAILED INVALID', attempts: null })
  expect(unknown.code).toBe(1)
  expect(unknown.told).toContain('REQUEST_UNKNOWN: nobody/knows-me is not known')
})

test('a dead letter is replayed once, when its schema has come', async () => {
  const request = newRequest()
  const schemaId = (await registerSchema('operator-first', 'first')) + 1
  // A field more than ours, null.
  const value = Buffer.concat([world.encode(request), Buffer.from([0])])
  value.writeUInt32BE(schemaId, 1)
  const headers = { 'x-shop': 'north' }
  const key = Buffer.from(request.requestId)
  await world.client.publish([{ topic: topicNames.requested, key, value, headers }])
  const rows = async (): Promise<{ id: string; key: string; from: string }[]> =>
    (await call(['dead-letters', 'list', '--json'])).printed
      .map(line => JSON.parse(line) as { id: string; key: string; from: string })
      .filter(row => row.key === request.requestId)
  await eventually('it is a dead letter', async () => (await rows()).length === 1)
  const { id, from } = (await rows())[0]!
  expect(await registerSchema('operator-second', 'second')).toBe(schemaId)
  await Promise.all(instances.map(each => each.stop()))
  instances = startInstances()
  await untilRunning(instances)

  const shown = await call(['dead-letters', 'show', id])
  const replayed = await call(['dead-letters', 'replay', id])
  await untilEnded([request], 1)
  const refused = await call(['dead-letters', 'replay', id])
  await call(['dead-letters', 'replay', id, '--again'])
  await eventually('the second one is a duplicate', () => callbacksOf(request).length === 2)

  expect(from).toMatch(/^email\.requested\/\d\/\d+$/)
  expect(shown.printed).toContain(`  value: ${value.toString('base64')}`)
  expect(shown.printed).toContain(`  header "x-shop": ${Buffer.from('north').toString('base64')}`)
  expect(replayed).toMatchObject({ code: 0, printed: [`${id}: replayed to email.requested`] })
  expect(endsOf(request)).toEqual(['SENT'])
  expect(await mailsTo(request)).toHaveLength(1)
  expect(refused.code).toBe(1)
  expect(refused.told).toMatch(/DECISION_REFUSED: \d\/\d+ was replayed by ann at 20.*--again/)
  expect(callbacksOf(request).map(each => each.outcome)).toEqual(['SENT', 'DUPLICATE'])
  const [accepted] = world.outcomes.acceptedOf(request.requestId)
  expect(accepted?.headers.get('x-shop')?.toString()).toBe('north')
  expect(accepted?.headers.get('replayed.from')?.toString()).toBe(`email.dead-letter/${id}`)
  expect(accepted?.headers.has('error.code')).toBe(false)
})

test('what is no dead letter is not replayed', async () => {
  const { code, told } = await call(['dead-letters', 'replay', '0/999999'])

  expect(code).toBe(1)
  expect(told).toContain('REQUEST_UNKNOWN: 0/999999 is no dead letter')
})

test('of two live owners of one instance id the older stops and says why, and the younger goes on', async () => {
  const [older] = instances
  const requests = Array.from({ length: 12 }, () => newRequest())

  const younger = world.run('here', { 'state-dir': world.stateDirectory('elsewhere') })
  const { exitCode, stderr } = await older!.ended()
  await untilRunning([younger])
  await world.publish(requests.map(request => ({ request, placement: {} })))
  await untilEnded(requests, 1)

  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/INSTANCE_ID_IN_USE.* instance id here.*--instance-id and --state-dir/)
  expect(requests.map(endsOf)).toEqual(requests.map(() => ['SENT']))
  for (const request of requests) expect(await mailsTo(request)).toHaveLength(1)
  expect(await younger.stop()).toBe(0)
})

/** Our own schema with a field more, so that it gets a number of its own. */
async function registerSchema(subject: string, field: string): Promise<number> {
  const schema = JSON.parse(schemaText('email.requested')) as { fields: object[] }
  schema.fields.push({ name: `${field}${prefix}`, type: ['null', 'string'], default: null })
  const response = await fetch(
    `${world.servers.registryUrl}/subjects/${subject}-${prefix}/versions`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify(schema) }),
    },
  )
  return ((await response.json()) as { id: number }).id
}
