import { expect, test } from 'vitest'
import { identityOf, nameOf } from '../../src/email/identity.ts'

const names = [
  { source: 'billing', requestId: 'r-1' },
  { source: 'billin', requestId: 'gr-1' },
  { source: '', requestId: '' },
  { source: 'a\0b', requestId: 'c' },
  { source: 'a', requestId: 'b\0c' },
  { source: 'a\u0001\u0002b', requestId: 'c' },
  { source: 'a\u0001', requestId: '\0c' },
  { source: 'a\0', requestId: 'c' },
  { source: 'a\u0001\u0001', requestId: 'c' },
]

test('a good name reads as source, NUL, request id', () => {
  expect(identityOf({ source: 'billing', requestId: 'r-1' })).toBe('billing\0r-1')
})

test('no two names share an identity, not even bad ones', () => {
  expect(new Set(names.map(identityOf)).size).toBe(names.length)
})

test.each(names)('$source / $requestId is found again in its identity', name => {
  expect(nameOf(identityOf(name))).toEqual(name)
})
