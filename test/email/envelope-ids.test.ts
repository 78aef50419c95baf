import { expect, test } from 'vitest'
import { EnvelopeIds } from '../../src/email/envelope-ids.ts'

const ids = new EnvelopeIds('a key that nobody guesses')
const uuid = '0190f5b6-7d2a-7c31-9f2e-0a1b2c3d4e5f'

test.each([
  { source: 'billing', requestId: 'r-1' },
  { source: 'billing', requestId: uuid },
  { source: 'a source of forty-three characters, no less', requestId: uuid },
  { source: 'Büro\0\u0001', requestId: 'ä / \0 é' },
  { source: '', requestId: uuid.toUpperCase() },
])('leads back to $source $requestId', name => {
  const id = ids.of(name)

  expect(id).toMatch(/^[\x21-\x2a\x2c-\x3c\x3e-\x7e]{1,100}$/)
  expect(ids.read(id!)).toEqual(name)
})

test('a name that does not fit has no id', () => {
  expect(ids.of({ source: 's'.repeat(44), requestId: uuid })).toBeNull()
  expect(ids.of({ source: 'billing', requestId: 'r'.repeat(60) })).toBeNull()
})

test('nobody can make one: it is signed, whole, with this key', () => {
  const id = ids.of({ source: 'billing', requestId: 'r-1' })!
  const [, name = '', tag = ''] = id.split('.')
  const otherName = ids.of({ source: 'billing', requestId: 'r-2' })!.split('.')[1]
  const otherKey = new EnvelopeIds('another key, just as long')

  const forged = [
    `m1.${otherName}.${tag}`,
    `m1.${name}.${'A'.repeat(tag.length)}`,
    `m1.${name}.`,
    `m1.${name}.${tag.slice(0, -2)}`,
    `${id}x`,
    `m2.${name}.${tag}`,
    `m1.${name}`,
    '',
    'x'.repeat(100_000),
  ]

  expect(forged.map(each => ids.read(each))).toEqual(forged.map(() => undefined))
  expect(otherKey.read(id)).toBeUndefined()
})

test('a short key is refused', () => {
  expect(() => new EnvelopeIds('short')).toThrow(/bounces.key has 5 characters: 16 or more/)
})
