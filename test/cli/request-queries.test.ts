import { beforeEach, expect, test } from 'vitest'
import { answerQuery, type InDoubtAnswer } from '../../src/cli/request-queries.ts'
import { type Delivery, newDelivery } from '../../src/effects/delivery.ts'
import type { EndKind } from '../../src/effects/effect.ts'
import { deliverySerde, endedKey, openKey, outboxStore } from '../../src/effects/outbox.ts'
import { emailTopology } from '../../src/email/email-topology.ts'
import { identityOf } from '../../src/email/identity.ts'
import { outcomeKey, outcomeStore } from '../../src/email/outcome-store.ts'
import { encodeInstances, Instances } from '../../src/runtime/instances.ts'
import { StoreQueries } from '../../src/runtime/store-queries.ts'
import type { Task } from '../../src/runtime/task.ts'
import { TopicCatalog } from '../../src/runtime/topic-catalog.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import { decisionOf, planOf } from '../effects/delivery-fixture.ts'
import { idleSink, plainSerdes } from '../support/email-flow.ts'

const partitions = 3
const topology = emailTopology({
  serdes: plainSerdes,
  sink: idleSink,
  dedupWindowMs: 1000,
  outcomesKeptMs: 1000,
  inDoubt: 'hold',
  retryDelaysMs: [],
})
const names = ['email.requested', 'email.dedup', 'email.sent', 'email.failed']
const catalog = new TopicCatalog(
  'app',
  new Map(names.map(name => [name, { name, topicId: name, partitions }])),
)

let outbox: MemoryStoreBackend
let outcomes: MemoryStoreBackend
let instances: Instances
let state: Task['state']
let queries: StoreQueries

/** This instance has the tasks of partition 1; `other:1` has the rest of sending. */
beforeEach(() => {
  outbox = new MemoryStoreBackend()
  outcomes = new MemoryStoreBackend()
  instances = new Instances('own:1')
  instances.learn(
    encodeInstances([
      { http: 'own:1', tasks: ['send_1', 'callback_1'] },
      { http: 'other:1', tasks: ['send_0', 'send_2'] },
    ]),
  )
  state = 'running'
  const task = (id: string, backend: MemoryStoreBackend): Task => {
    const definition = id.startsWith('send')
      ? outboxStore('outbox', 1)
      : outcomeStore({ windowMs: 1, keptMs: 1 })
    const store = { definition, backend }
    return {
      id,
      get state() {
        return state
      },
      stores: new Map([[definition.name, store]]),
    } as unknown as Task
  }
  const tasks = [task('send_1', outbox), task('callback_1', outcomes)]
  queries = new StoreQueries({ topology, catalog, instances, tasks: () => tasks })
})

const ask = (path: string) => answerQuery(path, queries)

/** A request id whose partition is this one. */
function idIn(partition: number, name = 'r'): string {
  for (let number = 0; ; number += 1) {
    const id = `${name}${number}`
    if (partitionForKey(Buffer.from(id), partitions) === partition) return id
  }
}

async function put(requestId: string, change: Partial<Delivery>, payload = ''): Promise<void> {
  const identity = identityOf({ source: 'a/b', requestId })
  const plan = planOf({ identity, targets: ['ada@example.org'] })
  const record = { key: Buffer.from(requestId), headers: [], payload: Buffer.from(payload) }
  const delivery = { ...newDelivery(plan, record), ...change }
  const key = delivery.state.kind === 'ended' ? endedKey(identity) : openKey(identity)
  const value = deliverySerde.serialize(delivery)
  await outbox.apply([{ key, value }], { topicId: 'id', offset: 1 })
}

const ended = (end: EndKind, atMs: number): Partial<Delivery> => ({
  state: { kind: 'ended', end, atMs },
})

test.each([
  { change: {}, state: 'queued', outcome: null, at: null },
  {
    change: { state: { kind: 'waiting' as const, dueMs: 1000 } },
    state: 'waiting',
    outcome: null,
    at: '1970-01-01T00:00:01.000Z',
  },
  {
    change: { state: { kind: 'attempting' as const, token: 't', targets: [] } },
    state: 'attempting',
    outcome: null,
    at: null,
  },
  ...(
    [
      ['done', 'SENT'],
      ['in-doubt', 'IN_DOUBT'],
      ['cancelled', 'FAILED CANCELLED'],
      ['refused', 'FAILED REJECTED'],
      ['expired', 'FAILED EXPIRED'],
    ] as const
  ).map(([end, outcome]) => ({
    change: ended(end, 2000),
    state: 'ended',
    outcome,
    at: '1970-01-01T00:00:02.000Z',
  })),
])('a request that is $state ($outcome)', async ({ change, ...expected }) => {
  const requestId = idIn(1)
  await put(requestId, { ...change, decisions: [decisionOf('resend')] })

  expect(await ask(`/requests/a%2Fb/${requestId}`)).toEqual({
    status: 200,
    body: {
      source: 'a/b',
      requestId,
      ...expected,
      messageId: null,
      relay: null,
      attempts: 0,
      reply: '',
      recipients: [{ address: 'ada@example.org', status: 'pending', reply: '' }],
      decisions: [
        {
          text: 'resolved to be sent again by ann: asked by phone',
          at: '1970-01-01T00:00:00.007Z',
        },
      ],
    },
  })
})

test('what another instance owns is answered with its address, and what nobody says he owns without', async () => {
  const elsewhere = await ask(`/requests/a/${idIn(0)}`)
  const nobody = await ask(`/requests/a/${idIn(2)}/end`)

  expect(elsewhere).toEqual({
    status: 307,
    body: { owner: 'other:1' },
    location: `http://other:1/requests/a/${idIn(0)}`,
  })
  expect(nobody?.status).toBe(503)
})

test.each(['restoring', 'closed'] as const)('a store that is %s answers nothing', async now => {
  state = now

  expect((await ask(`/requests/a/${idIn(1)}`))?.status).toBe(307)
  expect((await ask('/requests/in-doubt'))?.body).toMatchObject({ requests: [], parts: 0 })
})

test('what was never sent is known by its end alone', async () => {
  const requestId = idIn(1)
  const identity = identityOf({ source: 'a/b', requestId })
  const end = { words: 'FAILED INVALID', messageId: null, requestedAtMs: 1, atMs: 2000 }
  const value = outcomeStore({ windowMs: 1, keptMs: 1 }).value.serialize({
    kind: 'outcome',
    sequence: 0,
    end,
    pages: 0,
    waiting: 0,
    awaited: false,
    touchedMs: 1,
    laterTakers: [],
  })
  await outcomes.apply([{ key: outcomeKey(identity), value }], { topicId: 'id', offset: 1 })

  expect((await ask(`/requests/a%2Fb/${requestId}`))?.status).toBe(404)
  expect(await ask(`/requests/a%2Fb/${requestId}/end`)).toMatchObject({
    status: 200,
    body: { outcome: 'FAILED INVALID', at: '1970-01-01T00:00:02.000Z', attempts: null },
  })
})

test('the list has what is in doubt and nothing else, the oldest first, over many pages', async () => {
  for (let number = 0; number < 2500; number += 1)
    await put(`done-${number}`, ended('done', number))
  await put('a-late', ended('in-doubt', 9000))
  await put('z-early', ended('in-doubt', 8000))
  await put('quoting', ended('done', 1), 'says "end":"in-doubt" in its text')
  await put('open', {})

  const { requests, ...rest } = (await ask('/requests/in-doubt'))!.body as InDoubtAnswer

  expect(requests.map(each => each.requestId)).toEqual(['z-early', 'a-late'])
  expect(rest).toEqual({
    truncated: false,
    parts: 1,
    partsOfAll: 3,
    instance: 'own:1',
    instances: ['own:1', 'other:1'],
  })
})

test('a list that is too long says so', async () => {
  for (let number = 0; number < 1001; number += 1)
    await put(`doubt-${number}`, ended('in-doubt', number))

  const { requests, truncated } = (await ask('/requests/in-doubt'))!.body as InDoubtAnswer

  expect([requests.length, truncated]).toEqual([1000, true])
})

test.each([
  '/requests',
  '/requests/other',
  '/requests/%/r',
  '/requests/a/b/start',
  '/requests/a/b/end/c',
  '/metrics',
])('%s does not exist', async path => {
  expect(await ask(path)).toBeUndefined()
})

test('before the instance runs there is no answer yet', async () => {
  expect((await answerQuery('/requests/in-doubt', undefined))?.status).toBe(503)
})
