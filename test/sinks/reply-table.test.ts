import { describe, expect, test } from 'vitest'
import { phrasePattern } from '../../src/sinks/phrase-pattern.ts'
import type { ReplyClass, ReplyPhase, ReplyRule } from '../../src/sinks/reply-rule.ts'
import { ReplyTable } from '../../src/sinks/reply-table.ts'
import { parseReply } from '../../src/sinks/smtp-reply.ts'

const classOf = (line: string, phase: ReplyPhase = 'rcpt', own: readonly ReplyRule[] = []) =>
  new ReplyTable(own).classOf(phase, parseReply(line))

describe('the built-in rules', () => {
  /** As relays say them. */
  test.each<readonly [line: string, meant: ReplyClass]>([
    ['421 4.7.0 Too many connections, closing', 'relay'],
    ['530 5.7.0 Must issue a STARTTLS command first', 'relay'],
    ['530 Authentication required', 'relay'],
    ['535 5.7.8 Username and Password not accepted', 'relay'],
    ['550 5.1.1 User unknown', 'permanent'],
    ['550 5.1.1 The account does not exist. Please try double-checking the address', 'permanent'],
    ['554 5.1.1 no such mailbox here, do not try again', 'permanent'],
    ['550 5.7.1 Message rejected as spam', 'permanent'],
    ['554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked', 'permanent'],
    ['552 5.3.4 Message too big for system', 'permanent'],
    ['552 5.2.3 Message exceeds the maximum size', 'permanent'],
    ['550 no', 'permanent'],
    ['450 4.2.0 Greylisted, see http://postgrey.example/', 'temporary'],
    ['451 4.7.1 Greylisting in action, please come back later', 'temporary'],
    ['550 5.7.1 Greylisted for 5 minutes', 'temporary'],
    ['554 5.7.1 Grey-listed, hold on', 'temporary'],
    ['554 Please try again later', 'temporary'],
    ['550 5.7.0 Temporary local problem', 'temporary'],
    ['554 5.3.2 no service now', 'temporary'],
    ['550 4.2.1 contradicts itself', 'temporary'],
    ['452 4.2.2 Mailbox full', 'temporary'],
    ['552 5.2.2 Over quota', 'temporary'],
    ['550 The mailbox of this user is full', 'temporary'],
    ['554 user has exceeded the disk quota', 'temporary'],
    ['552 no room', 'temporary'],
    ['452 4.3.1 Insufficient system storage', 'temporary'],
    ['454 4.7.0 TLS not available due to local problem', 'temporary'],
    ['450 4.7.1 Client host rejected', 'temporary'],
    ['451 whatever', 'temporary'],
    ['454 Throttling failure: Maximum sending rate exceeded.', 'throttled'],
    ['454 Throttling failure: Daily message quota exceeded.', 'throttled'],
    ['550 5.7.1 rate limited', 'throttled'],
    ['550 5.4.5 Daily user sending limit exceeded', 'throttled'],
    ['550 5.4.5 no more today', 'throttled'],
    [
      '450 4.2.1 The user is receiving mail at a rate that prevents additional messages',
      'throttled',
    ],
    ['554 5.7.1 You sent too many messages', 'throttled'],
    ['451 4.7.1 Rate-limit reached, try again in 60 seconds', 'throttled'],
    ['550 5.1.1 rate limit exceeded', 'throttled'],
    ['452 4.5.3 Too many recipients', 'too-many-recipients'],
    ['452 too many recipients', 'too-many-recipients'],
    ['552 Too many recipients', 'too-many-recipients'],
    ['452 4.5.3 Try this recipient in a separate transaction', 'too-many-recipients'],
    ['550 5.5.3 enough', 'too-many-recipients'],
    ['450 4.7.1 Too many recipients per hour', 'throttled'],
  ])('RCPT: %s', (line, meant) => {
    expect(classOf(line)).toBe(meant)
  })

  test.each<readonly [phase: ReplyPhase, line: string, meant: ReplyClass]>([
    ['dot', '452 4.5.3 Too many recipients', 'temporary'],
    ['mail', '552 no', 'permanent'],
    ['data', '554 5.5.1 no valid recipients', 'permanent'],
    ['dot', '554 5.7.1 rate limited', 'throttled'],
    ['dot', '421 4.3.2 shutting down', 'relay'],
  ])('%s: %s', (phase, line, meant) => {
    expect(classOf(line, phase)).toBe(meant)
  })

  test.each(['250 2.0.0 try again later', '354 go ahead', 'nonsense', '250-a\n550 b', ''])(
    'no rule is asked about %j',
    line => {
      const all: ReplyRule = { text: ['/./'], class: 'permanent' }

      expect(classOf(line, 'dot', [all])).toBeNull()
    },
  )
})

describe('whether a reply asks for less', () => {
  test.each([
    ['certain', '421 4.7.0 Too many connections from your host'],
    ['certain', '421 Service not available, closing transmission channel'],
    ['certain', '451 4.7.1 Please slow down'],
    ['certain', '450 4.7.28 Our system has detected an unusual rate of unsolicited mail'],
    ['certain', '450 4.7.28 go away'],
    ['certain', '550 5.7.1 rate limited, try again later'],
    ['certain', '454 Throttling failure: Maximum sending rate exceeded'],
    ['likely', '451 Requested action aborted: local error in processing'],
    ['likely', '451 4.3.0 try again later'],
    [null, '421 4.3.2 counting.test is closing'],
    [null, '421 4.4.2 timeout exceeded'],
    [null, '250 OK, slow down'],
    [null, '450 4.2.1 The mailbox is busy'],
    [null, '451 4.2.1 busy'],
    [null, '451 mailbox busy'],
    [null, '451 4.7.1 Greylisted, please try again in 300 seconds'],
    [null, '452 4.2.2 Over quota'],
    [null, '451 4.5.3 Too many recipients'],
    [null, '550 5.1.1 No such user'],
    [null, 'connection lost'],
    [null, 'no connection in time: 421'],
  ])('%s: %s', (asks, line) => {
    expect(new ReplyTable().asksForLess('dot', parseReply(line))).toBe(asks)
  })

  test('a rule of an operator says so by its class', () => {
    const own: ReplyRule[] = [
      { text: ['hold it'], class: 'throttled' },
      { codes: ['451'], class: 'temporary' },
    ]
    const asks = (line: string) => new ReplyTable(own).asksForLess('rcpt', parseReply(line))

    expect([asks('550 hold it'), asks('451 later')]).toEqual(['certain', null])
  })
})

describe('rules of an operator', () => {
  test.each<{ rule: string; own: ReplyRule; fits: string[]; misses: string[] }>([
    {
      rule: 'a code with any digits',
      own: { codes: ['45z', '55y'], class: 'relay' },
      fits: ['450 a', '451 b', '550 c', '559 d'],
      misses: ['440 a', '540 b'],
    },
    {
      rule: 'an enhanced code with any numbers',
      own: { enhanced: ['5.7.x', 'x.2.1'], class: 'relay' },
      fits: ['550 5.7.1 a', '550 5.7.26 b', '450 4.2.1 c'],
      misses: ['550 5.6.1 a', '550 5.2.10 b', '550 c'],
    },
    {
      rule: 'words',
      own: { text: ['blocked using', 'RBL'], class: 'relay' },
      fits: ['554 host BLOCKED  using x', '550 rbl'],
      misses: ['554 unblocked using', '550 verbl'],
    },
    {
      rule: 'a regular expression',
      own: { text: ['/^S\\d+$/'], class: 'relay' },
      fits: ['550 S3150'],
      misses: ['550 xS3150'],
    },
    {
      rule: 'all of its conditions',
      own: { phases: ['rcpt'], codes: ['550'], text: ['policy'], class: 'relay' },
      fits: ['550 5.7.1 policy'],
      misses: ['551 policy', '550 no'],
    },
  ])('$rule', ({ own, fits, misses }) => {
    expect(fits.map(line => classOf(line, 'rcpt', [own]))).toEqual(fits.map(() => 'relay'))
    expect(misses.map(line => classOf(line, 'rcpt', [own]))).not.toContain('relay')
  })

  test('come before the built-in ones, and the first that fits counts', () => {
    const own: ReplyRule[] = [
      { codes: ['421'], text: ['busy'], class: 'temporary' },
      { codes: ['421'], class: 'permanent' },
    ]

    expect(classOf('421 busy', 'mail', own)).toBe('temporary')
    expect(classOf('421 bye', 'mail', own)).toBe('permanent')
  })

  test('a rule for another phase says nothing', () => {
    const own: ReplyRule = { phases: ['dot'], codes: ['550'], class: 'relay' }

    expect(classOf('550 no', 'rcpt', [own])).toBe('permanent')
  })
})

test.each([
  ['rate limit', 'the rate-limit is reached', true],
  ['rate limit', 'corporate limit', false],
  ['rate … exceed', 'sending rate for this host exceeded', true],
  ['rate … exceed', `rate ${'x'.repeat(41)} exceeded`, false],
  ['throttl', 'Throttling', true],
  ['a.b (c)', 'A.B (c)', true],
  ['a.b', 'aXb', false],
])('the words "%s" in "%s": %s', (words, text, found) => {
  expect(phrasePattern(words).test(text)).toBe(found)
})

test.each(['', ' … ', '/(/'])('no words: %j', words => {
  expect(() => phrasePattern(words)).toThrow(/no word|Invalid regular expression/)
})
