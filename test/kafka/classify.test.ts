import { NetworkError, ResponseError, TimeoutError, protocolErrors } from '@platformatic/kafka'
import { describe, expect, test } from 'vitest'
import { StreamsError, type ErrorCode } from '../../src/errors.ts'
import {
  classify,
  errorName,
  handlingOf,
  toStreamsError,
  type Handling,
} from '../../src/kafka/classify.ts'

function refused(...names: readonly (keyof typeof protocolErrors)[]): Error {
  const errors = names.map((name, index) => [`/${index}`, [protocolErrors[name]!.code, null]])
  return new ResponseError(0, 12, Object.fromEntries(errors) as never, {})
}

describe('the decision about an error', () => {
  test.each([
    ['INVALID_PRODUCER_EPOCH', 'TRANSACTION_FENCED'],
    ['PRODUCER_FENCED', 'TRANSACTION_FENCED'],
    ['INVALID_PRODUCER_ID_MAPPING', 'TRANSACTION_FENCED'],
    ['ILLEGAL_GENERATION', 'GROUP_FENCED'],
    ['UNKNOWN_MEMBER_ID', 'GROUP_FENCED'],
    ['FENCED_INSTANCE_ID', 'INSTANCE_ID_IN_USE'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'TRANSACTION_ABORTED'],
    ['CONCURRENT_TRANSACTIONS', 'again'],
    ['NOT_LEADER_OR_FOLLOWER', 'elsewhere'],
    ['NOT_COORDINATOR', 'elsewhere'],
    ['MESSAGE_TOO_LARGE', 'RECORD_TOO_LARGE'],
    ['TOPIC_AUTHORIZATION_FAILED', 'AUTHORIZATION_FAILED'],
    ['UNKNOWN_SERVER_ERROR', 'INTERNAL'],
  ] as const)('%s: %s', (name, handling) => {
    expect(classify(refused(name))).toBe(handling)
  })

  test('of several takes the one that ends more', () => {
    expect(classify(refused('NOT_LEADER_OR_FOLLOWER', 'PRODUCER_FENCED'))).toBe(
      'TRANSACTION_FENCED',
    )
    expect(classify(refused('CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR'))).toBe('elsewhere')
  })

  test.each<[string, unknown, Handling]>([
    ['a connection that broke', new NetworkError('closed'), 'lost'],
    ['an answer that did not come in time', new TimeoutError('late'), 'lost'],
    [
      'a connection that was never there',
      new StreamsError('BROKER_UNAVAILABLE', 'none'),
      'elsewhere',
    ],
    ['a bug', new TypeError('undefined'), 'INTERNAL'],
    ['no error at all', 'text', 'INTERNAL'],
  ])('%s', (_, error, handling) => {
    expect(classify(error)).toBe(handling)
  })

  test('a name that is not listed stops the worker, and a number without a name keeps it', () => {
    expect(handlingOf('SOMETHING_NEW')).toBe('INTERNAL')
    expect(errorName(32_000)).toBe('ERROR_32000')
  })

  test('errors of ours stay as they are, foreign ones say what was being done and why it failed', () => {
    const ours = new StreamsError('CLOSED', 'closed')
    const code: ErrorCode = 'GROUP_FENCED'

    expect(toStreamsError(ours, code, 'committing')).toBe(ours)
    expect(toStreamsError(refused('ILLEGAL_GENERATION'), code, 'committing')).toMatchObject({
      code,
      message: 'committing: ILLEGAL_GENERATION',
    })
  })
})
