import { expect, test } from 'vitest'
import { type Delivery, type DeliveryState, dueTargets } from '../../src/effects/delivery.ts'
import type { EffectPlan } from '../../src/effects/effect.ts'
import {
  deliverySerde,
  effectCommandSerde,
  endedKey,
  endedPrefix,
  openKey,
  openPrefix,
  outboxStore,
} from '../../src/effects/outbox.ts'
import { type Random, seededRandom } from '../../src/random.ts'
import { notesOf, type OutcomeNotes } from '../../src/sinks/sink.ts'
import {
  after,
  attemptAt,
  deferredOf,
  deliveryOf,
  failedAt,
  outcomeAt,
} from './delivery-fixture.ts'

function drawnText(random: Random): string {
  const letters = ['a', 'é', '"', '\\', '\n', '漢', '😀', '\u0000', '|']
  return Array.from(
    { length: Math.floor(random.next() * 12) },
    () => letters[Math.floor(random.next() * letters.length)],
  ).join('')
}

function drawnBytes(random: Random): Buffer {
  const length = Math.floor(random.next() * 300)
  return Buffer.from(Array.from({ length }, () => Math.floor(random.next() * 256)))
}

function drawnState(random: Random): DeliveryState {
  const states: DeliveryState[] = [
    { kind: 'queued' },
    { kind: 'waiting', dueMs: Math.floor(random.next() * 2 ** 42) },
    { kind: 'attempting', token: drawnText(random), targets: [drawnText(random)] },
    { kind: 'ended', end: 'in-doubt', atMs: 5 },
  ]
  return states[Math.floor(random.next() * states.length)]!
}

function drawnDelivery(random: Random): Delivery {
  const maybe = <T>(value: T): T | null => (random.next() < 0.5 ? null : value)
  const plan: Partial<EffectPlan> = {
    identity: drawnText(random),
    targets: [drawnText(random), drawnText(random)],
    notBeforeMs: maybe(7),
    expiresAtMs: maybe(8),
    inDoubt: random.next() < 0.5 ? 'hold' : 'resend',
  }
  return {
    ...deliveryOf(plan),
    state: drawnState(random),
    messageId: maybe(drawnText(random)),
    reply: drawnText(random),
    doubts: random.next() < 0.5 ? [] : [{ token: drawnText(random), targets: ['a'] }],
    revising: random.next() < 0.5,
    key: drawnBytes(random),
    headers: [
      { key: drawnText(random), value: maybe(drawnBytes(random)) },
      { key: 'traceparent', value: Buffer.alloc(0) },
    ],
    payload: drawnBytes(random),
  }
}

test.each(Array.from({ length: 50 }, (_, index) => index + 1))(
  'seed %i: what is written is read again, bytes and null untouched',
  seed => {
    const delivery = drawnDelivery(seededRandom(seed))

    const bytes = deliverySerde.serialize(delivery)

    expect(deliverySerde.deserialize(bytes)).toEqual(delivery)
  },
)

/** What every release reads: JSON behind its length, the bytes that never change in base64 at its end. */
function asAnyRelease(delivery: Delivery): Buffer {
  const { plan, key, headers, payload, ...state } = delivery
  const values = headers.map(each => [each.key, each.value?.toString('base64') ?? null])
  const last = { plan, key: key.toString('base64'), headers: values }
  const json = Buffer.from(JSON.stringify({ ...state, ...last }))
  const head = Buffer.from([1, 0, 0, 0, 0])
  head.writeUInt32BE(json.length, 1)
  return Buffer.concat([head, json, payload])
}

test.each(Array.from({ length: 50 }, (_, index) => index + 1))(
  'seed %i: an older release reads what is written',
  seed => {
    const delivery = drawnDelivery(seededRandom(seed))
    const origin = { topic: 'input', partition: 0, offset: 2 ** 40 }
    const target = {
      target: 'z',
      status: 'pending',
      reply: '451 ü',
      retries: 2,
      dueMs: 1e12,
    } as const
    const deferred = { ...delivery, targets: [...delivery.targets, target], origin }
    const stateOf = (entry: Buffer): unknown =>
      JSON.parse(entry.toString('utf8', 5, 5 + entry.readUInt32BE(1)))

    for (const each of [delivery, deferred]) {
      const bytes = deliverySerde.serialize(each)

      expect(stateOf(bytes)).toEqual(stateOf(asAnyRelease(each)))
      expect(bytes.length).toBe(asAnyRelease(each).length)
      expect(bytes.subarray(-each.payload.length)).toEqual(
        asAnyRelease(each).subarray(-each.payload.length),
      )
    }
  },
)

test('each state of a request is written whole, whatever was written before it', () => {
  const first = drawnDelivery(seededRandom(1))
  const later = { ...first, attempts: first.attempts + 1, payload: Buffer.alloc(0) }
  const other = { ...first, plan: { ...first.plan, identity: 'another' } }
  const renamed = { ...first, key: Buffer.from('another key') }

  for (const delivery of [first, later, other, renamed, first])
    expect(deliverySerde.deserialize(deliverySerde.serialize(delivery))).toEqual(delivery)
})

test('an entry of a newer release is refused, not misread', () => {
  const bytes = deliverySerde.serialize(deliveryOf())
  bytes[0] = 2

  expect(() => deliverySerde.deserialize(bytes)).toThrow(
    expect.objectContaining({ code: 'STORE_UNREADABLE' }),
  )
})

/** As the first release wrote it: the retries of all its targets are counted together. */
function asFirstRelease(state: object): Buffer {
  const json = Buffer.from(JSON.stringify(state))
  const head = Buffer.alloc(5)
  head[0] = 1
  head.writeUInt32BE(json.length, 1)
  return Buffer.concat([head, json, Buffer.from('payload')])
}

test('an entry of the first release goes on where its schedule was', () => {
  const { key: _key, headers: _headers, payload: _payload, ...rest } = deliveryOf()
  const bytes = asFirstRelease({
    ...rest,
    targets: [
      { target: 'a', status: 'accepted', reply: '250 ok' },
      { target: 'b', status: 'pending', reply: '451 later' },
    ],
    state: { kind: 'waiting', dueMs: 10_000 },
    retries: 1,
    key: 'a2V5',
    headers: [],
    decisions: undefined,
  })

  const delivery = deliverySerde.deserialize(bytes)
  const next = after(delivery, failedAt(10_000, deferredOf(['b'])))

  expect(dueTargets(delivery, 10_000)).toEqual(['b'])
  expect(next.delivery.state).toEqual({ kind: 'waiting', dueMs: 110_000 })
})

test('the first release finds in an entry of this one what it needs for its schedule', () => {
  const { delivery } = after(deliveryOf(), failedAt(0, deferredOf(['a', 'b'])))

  const bytes = deliverySerde.serialize(delivery)

  const state: unknown = JSON.parse(bytes.toString('utf8', 5, 5 + bytes.readUInt32BE(1)))
  expect(state).toMatchObject({ retries: 1, state: { kind: 'waiting', dueMs: 10_000 } })
})

test('open requests are scanned apart from the ended ones', () => {
  expect(openKey('x').startsWith(openPrefix)).toBe(true)
  expect(endedKey('x').startsWith(endedPrefix)).toBe(true)
  expect(openPrefix < endedPrefix).toBe(true)
})

test('an ended request is forgotten a while after its end, an open one never', () => {
  const store = outboxStore('outbox', 500)
  const open = after(deliveryOf(), attemptAt(0, 't-1')).delivery
  const ended = after(open, outcomeAt(40, 't-1', 'done')).delivery

  expect(store.expiresAtMs?.(openKey('r-1'), open)).toBeUndefined()
  expect(store.expiresAtMs?.(endedKey('r-1'), ended)).toBe(540)
  expect(store.changelogConfigs['cleanup.policy']).toBe('compact')
})

test('evidence is read as it was written', () => {
  const command = {
    kind: 'evidence',
    identity: 'billing\u0000r-1',
    token: 't-1',
    outcome: 'done',
    reply: '250 ok',
    atMs: 5,
  } as const

  expect(effectCommandSerde.deserialize(effectCommandSerde.serialize(command))).toEqual(command)
})

test.each(['{', 'null', '7', '{"kind":"evidence"}', '{"kind":"dance","identity":"a","token":"t"}'])(
  'a command that is none goes to the dead letters: %s',
  text => {
    expect(() => effectCommandSerde.deserialize(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
    )
  },
)

test('evidence says when to try again; what is no time there is not believed', () => {
  const command = { kind: 'evidence', identity: 'r-1', token: 't-1', outcome: 'deferred' }
  const read = (more: object): OutcomeNotes =>
    notesOf(
      effectCommandSerde.deserialize(
        Buffer.from(JSON.stringify({ ...command, ...more })),
      ) as OutcomeNotes,
    )

  expect(read({ retryAfterMs: 7, unavailable: true })).toEqual({
    retryAfterMs: 7,
    unavailable: true,
  })
  expect(read({ retryAfterMs: 'soon', unavailable: 'yes' })).toEqual({})
})
