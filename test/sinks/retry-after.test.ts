import { expect, test } from 'vitest'
import { retryAfterMsOf } from '../../src/sinks/retry-after.ts'

const secondMs = 1000
const minuteMs = 60 * secondMs

test.each([
  ['Greylisted, please try again in 900 seconds', 900 * secondMs],
  ['<a@b.example>: Recipient address rejected: Greylisted for 5 minutes', 5 * minuteMs],
  ['Greylisting in action, please come back in 00:04:59', 299 * secondMs],
  ['come back in 04:59', 299 * secondMs],
  ['Rate limit exceeded. Try again in 1 hour, 30 minutes.', 90 * minuteMs],
  ['try again in 1h30m', 90 * minuteMs],
  ['retry after 120', 120 * secondMs],
  ['Retry-After: 60', 60 * secondMs],
  ['retry in 300s', 300 * secondMs],
  ['please wait 10 min before you try again', 10 * minuteMs],
  ['Please retry in a minute', minuteMs],
  ['temporarily deferred for 2 days', 2 * 24 * 60 * minuteMs],
  ['greylisted; retry in 0.5 minutes', 30 * secondMs],
  ['TRY AGAIN AFTER 5 MINS', 5 * minuteMs],
  ['Too fast (10 messages per 60 seconds), try again in 20 sec.', 20 * secondMs],
])('%s', (text, milliseconds) => {
  expect(retryAfterMsOf(text)).toBe(milliseconds)
})

test.each([
  ['no time is named', 'Greylisted, please try again later'],
  ['a limit is no time to wait', 'at most 10 messages in 60 seconds, try again later'],
  ['a last time is no first one', 'please try again within 24 hours'],
  ['a time of day is no time to wait', 'come back after 18:00'],
  ['an address is no time to wait', 'try again in 10.0.0.1'],
  ['a percentage is no time to wait', 'try again in 5 % of all cases'],
  ['nothing is no time to wait', 'try again in 0 seconds'],
  ['a unit is a whole word', 'try again in 5 segments'],
  ['a number far away', `wait ${'x '.repeat(50)} 5 minutes`],
  ['the empty text', ''],
])('%s: "%s" says nothing', (_rule, text) => {
  expect(retryAfterMsOf(text)).toBeNull()
})

test('nobody is kept waiting for more than 30 days', () => {
  expect(retryAfterMsOf('try again in 9999999 days')).toBe(30 * 24 * 60 * minuteMs)
})

test('a hostile text is read to its end', () => {
  const text = 'try again in a '.repeat(100) + '1 s, '.repeat(100) + 'try again in 7 seconds'

  expect(retryAfterMsOf(text)).toBe(4 * secondMs)
})
