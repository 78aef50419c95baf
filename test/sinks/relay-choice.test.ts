import { describe, expect, test } from 'vitest'
import type { Relay } from '../../src/sinks/relay.ts'
import { byPreference, candidatesFor, takeTag } from '../../src/sinks/relay-choice.ts'
import { FakeRelay, relayOf } from './fake-relay.ts'
import { mailRequest } from './mail-fixture.ts'

const relay = (name: string, change: Partial<Relay> = {}): Relay =>
  relayOf(new FakeRelay(`${name}:25`), change)

const namesOf = (relays: readonly Relay[]): string[] => relays.map(({ name }) => name)

const identities = Array.from({ length: 4000 }, (_, index) => `shop\0r-${index}`)

const firsts = (relays: readonly Relay[]): (string | undefined)[] =>
  identities.map(identity => byPreference(relays, identity, null)[0]?.name)

describe('which relays may take a mail', () => {
  const relays = [
    relay('all'),
    relay('spare', { weight: 0 }),
    relay('shop', { senderDomains: new Set(['shop.example', 'xn--bcher-kva.example']) }),
    relay('bulk', { tags: new Set(['newsletter']), senderDomains: new Set(['news.example']) }),
  ]

  test.each([
    {
      mail: 'no tag, a sender that nobody has',
      tag: null,
      from: 'a@else.example',
      to: ['all', 'spare'],
    },
    { mail: 'a sender that one has', tag: null, from: 'a@shop.example', to: ['shop'] },
    { mail: 'that sender in capitals', tag: null, from: 'a@SHOP.example', to: ['shop'] },
    { mail: 'a sender beyond ASCII', tag: null, from: 'a@bücher.example', to: ['shop'] },
    {
      mail: 'a tag that one has, whoever sends',
      tag: 'newsletter',
      from: 'a@shop.example',
      to: ['bulk'],
    },
    { mail: 'a tag that nobody has', tag: 'x', from: 'a@shop.example', to: ['shop'] },
    { mail: 'a subdomain', tag: null, from: 'a@my.shop.example', to: ['all', 'spare'] },
  ])('$mail', ({ tag, from, to }) => {
    expect(namesOf(candidatesFor(relays, tag, from))).toEqual(to)
  })
})

describe('the order of a mail', () => {
  test('first places are shared by weight', () => {
    const chosen = firsts([relay('a', { weight: 3 }), relay('b', { weight: 1 })])

    const share = chosen.filter(name => name === 'a').length / chosen.length
    expect(share).toBeGreaterThan(0.72)
    expect(share).toBeLessThan(0.78)
  })

  test('is the same each time', () => {
    const relays = [relay('a'), relay('b'), relay('c')]

    expect(firsts(relays)).toEqual(firsts(relays.toReversed()))
  })

  test('a relay that is taken out moves only those whom it served', () => {
    const relays = [relay('a'), relay('b'), relay('c')]
    const before = firsts(relays)
    const after = firsts(relays.slice(0, 2))

    const moved = identities.filter((_, index) => before[index] !== after[index])
    expect(moved.length).toBe(before.filter(name => name === 'c').length)
  })

  test('weight 0 comes last, and two of them are in an order too', () => {
    const relays = [relay('spare', { weight: 0 }), relay('reserve', { weight: 0 }), relay('a')]

    expect(new Set(firsts(relays))).toEqual(new Set(['a']))
    expect(byPreference(relays, 'r-1', null)).toHaveLength(3)
  })

  test('whoever was asked last comes first again, but for one of weight 0', () => {
    const relays = [relay('a'), relay('b'), relay('spare', { weight: 0 })]

    const again = (last: string): Set<string | undefined> =>
      new Set(identities.map(identity => byPreference(relays, identity, `${last}:25`)[0]?.name))

    expect(again('a')).toEqual(new Set(['a']))
    expect(again('b')).toEqual(new Set(['b']))
    expect(again('spare')).toEqual(new Set(['a', 'b']))
  })
})

test('the tag is taken out of the headers, however it is written', () => {
  const { tag, request } = takeTag(
    mailRequest({ headers: { 'X-Campaign': 'x', 'x-mailonce-TAG': ' newsletter ' } }),
  )

  expect(tag).toBe('newsletter')
  expect(request.headers).toEqual({ 'X-Campaign': 'x' })
})
