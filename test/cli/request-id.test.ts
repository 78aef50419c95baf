import { expect, test } from 'vitest'
import { parseRequestId, requestIdText, requestPath } from '../../src/cli/request-id.ts'

test.each([
  { text: 'shop/order-17', source: 'shop', requestId: 'order-17' },
  { text: 'shop/a/b%2F%', source: 'shop', requestId: 'a/b%2F%' },
  { text: 'a%2Fb%25/1', source: 'a/b%', requestId: '1' },
  { text: 'ünï cödé/ß', source: 'ünï cödé', requestId: 'ß' },
])('$text names one request, and is how it is written', ({ text, source, requestId }) => {
  expect(parseRequestId(text)).toEqual({ source, requestId })
  expect(requestIdText({ source, requestId })).toBe(text)
})

test.each(['', 'shop', '/1', 'shop/', '%/1', '%zz/1'])('%s names none', text => {
  expect(() => parseRequestId(text)).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
  )
})

test('whatever is in the two parts, the path has three segments', () => {
  expect(requestPath({ source: 'a/b', requestId: 'c/d?e#f%' })).toBe(
    '/requests/a%2Fb/c%2Fd%3Fe%23f%25',
  )
})
