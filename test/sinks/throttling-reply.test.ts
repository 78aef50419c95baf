import { expect, test } from 'vitest'
import { throttlingOf } from '../../src/sinks/throttling-reply.ts'

test.each([
  ['certain', '421 4.7.0 Too many connections from your host'],
  ['certain', '421 Service not available, closing transmission channel'],
  ['certain', '451 4.7.1 Please slow down'],
  ['certain', '450 4.7.28 Our system has detected an unusual rate of unsolicited mail'],
  ['certain', '550 5.7.1 rate limited, try again later'],
  ['certain', '454 Throttling failure: Maximum sending rate exceeded'],
  ['likely', '451 Requested action aborted: local error in processing'],
  ['likely', '451 4.3.0 try again later'],
  [null, '421 4.3.2 counting.test is closing'],
  [null, '250 OK'],
  [null, '450 4.2.1 The mailbox is busy'],
  [null, '451 4.2.1 mailbox busy'],
  [null, '451 4.7.1 Greylisted, please try again in 300 seconds'],
  [null, '452 4.2.2 Over quota'],
  [null, '452 4.5.3 Too many recipients'],
  [null, '550 5.1.1 No such user'],
  [null, 'connection lost'],
  [null, 'no connection in time: 421'],
])('%s: %s', (certainty, reply) => {
  expect(throttlingOf(reply)).toBe(certainty)
})
