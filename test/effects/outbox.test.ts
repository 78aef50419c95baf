import { expect, test } from 'vitest'
import type { Delivery, DeliveryState } from '../../src/effects/delivery.ts'
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
import { after, attemptAt, deliveryOf, outcomeAt } from './delivery-fixture.ts'

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

test('an entry of a newer release is refused, not misread', () => {
  const bytes = deliverySerde.serialize(deliveryOf())
  bytes[0] = 2

  expect(() => deliverySerde.deserialize(bytes)).toThrow(
    expect.objectContaining({ code: 'STORE_UNREADABLE' }),
  )
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
