import { expect, test } from 'vitest'
import { failureLine } from '../../src/cli/failure-line.ts'
import { StreamsError } from '../../src/errors.ts'

test('is one line with code, causes that say more, and what to do', () => {
  const cause = new Error('connect ECONNREFUSED 127.0.0.1:1\n    at somewhere')
  const error = new StreamsError('BROKER_UNAVAILABLE', 'no connection', { cause })

  expect(failureLine(error)).toBe(
    'mailonce: BROKER_UNAVAILABLE: no connection (connect ECONNREFUSED 127.0.0.1:1 at somewhere): is it running? --kafka HOST:PORT names the brokers',
  )
})

test('leaves out causes that repeat what was said', () => {
  const error = new StreamsError('TOPIC_MISSING', 'a: b', {
    cause: new Error('b', { cause: new Error('c') }),
  })

  expect(failureLine(error)).toBe('mailonce: TOPIC_MISSING: a: b (c)')
})

test.each([{ thrown: new TypeError('x is not a function') }, { thrown: 'x is not a function' }])(
  'calls what is not ours internal: $thrown',
  ({ thrown }) => {
    expect(failureLine(thrown)).toBe('mailonce: INTERNAL: x is not a function: please report this')
  },
)
