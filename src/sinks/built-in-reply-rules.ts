import type { ReplyRule } from './reply-rule.ts'

/** A rule with its reason, for the page that shows the table. */
export interface ExplainedReplyRule extends ReplyRule {
  readonly why: string
}

/**
 * How replies are read when nobody says otherwise; the first that fits counts. Where code and words contradict each other the words win,
 * and in doubt it is "not now": a retry too many costs little, a mail that is given up too early is lost.
 */
export const builtInReplyRules: readonly ExplainedReplyRule[] = Object.freeze([
  {
    codes: ['421'],
    enhanced: ['4.3.2', '4.4.2'],
    class: 'relay',
    why: 'The relay closes the connection: it is being shut down, or has waited too long (RFC 3463).',
  },
  {
    codes: ['421'],
    class: 'relay',
    asksForLess: 'certain',
    why: 'It closes the connection, whatever it was asked (RFC 5321 section 3.8).',
  },
  {
    codes: ['530', '534', '535', '538'],
    class: 'relay',
    why: 'It wants a login or TLS (RFC 4954 section 6): the configuration is wrong, not the mail.',
  },
  {
    text: [
      'rate limit',
      'rate … exceed',
      'exceed … rate',
      'rate that prevents',
      'throttl',
      'too many messages',
      'too many mails',
      'too many emails',
      'too many connections',
      'too many requests',
      'too many sessions',
      'too quickly',
      'too fast',
      'too frequent',
      'slow down',
      'sending limit',
      'sending quota',
      'message quota',
      'daily … quota',
      'daily limit',
      'hourly limit',
      'per hour',
      'per minute',
      'per second',
      'last hour',
      'unusual rate',
      'unusual volume',
      'temporarily deferred',
    ],
    class: 'throttled',
    why: 'A rate limit, whatever code comes with it: 454 at SES, 450 or 550 at Gmail, 554 elsewhere.',
  },
  {
    enhanced: ['4.4.5', '5.4.5'],
    class: 'throttled',
    why: 'Mail system congestion (RFC 3463 section 3.5); at Gmail the daily quota.',
  },
  {
    enhanced: ['4.7.28', '5.7.28'],
    class: 'throttled',
    why: 'A flood of mails (registry of RFC 5248).',
  },
  {
    phases: ['rcpt'],
    enhanced: ['4.5.3', '5.5.3'],
    class: 'too-many-recipients',
    why: 'Too many recipients (RFC 3463 section 3.6).',
  },
  {
    phases: ['rcpt'],
    text: ['too many recipients', 'too many rcpt', 'separate transaction', 'another transaction'],
    class: 'too-many-recipients',
    why: 'The same in words, also with the 552 of old (RFC 5321 section 4.5.3.1.10).',
  },
  {
    text: ['greylist', 'graylist', 'grey list', 'gray list'],
    class: 'temporary',
    why: 'Greylisting, also where a policy server says 5.7.x.',
  },
  {
    codes: ['5yz'],
    enhanced: ['4.x.x'],
    class: 'temporary',
    why: 'Code and enhanced code contradict each other.',
  },
  {
    codes: ['5yz'],
    enhanced: ['5.1.x'],
    class: 'permanent',
    why: 'No such address, mailbox or domain (RFC 3463 section 3.2).',
  },
  {
    codes: ['5yz'],
    enhanced: ['5.2.3', '5.3.4'],
    class: 'permanent',
    why: 'The mail is too large, and stays so.',
  },
  {
    codes: ['5yz'],
    enhanced: ['5.2.2'],
    class: 'temporary',
    why: 'The mailbox is full (RFC 3463 section 3.3): people make room.',
  },
  {
    codes: ['5yz'],
    text: [
      'mailbox … full',
      'mailbox full',
      'inbox … full',
      'over quota',
      'exceed … quota',
      'quota exceed',
      'storage full',
      'insufficient … storage',
    ],
    class: 'temporary',
    why: 'The same in words.',
  },
  {
    codes: ['5yz'],
    enhanced: ['5.3.1', '5.3.2'],
    class: 'temporary',
    why: 'The system is full, overloaded or being maintained (RFC 3463 section 3.4).',
  },
  {
    codes: ['5yz'],
    text: [
      'try again',
      'try … later',
      'retry later',
      'retry in',
      'retry after',
      'come back',
      'resend … later',
      'temporar',
    ],
    class: 'temporary',
    why: 'It says itself that a later try may succeed.',
  },
  {
    phases: ['rcpt'],
    codes: ['552'],
    class: 'temporary',
    why: 'A 552 to RCPT counts as 452 (RFC 5321 section 4.5.3.1.10).',
  },
  {
    codes: ['451'],
    enhanced: ['4.2.x', '4.3.2', '4.5.3'],
    class: 'temporary',
    why: 'It is about one mailbox, maintenance or this one mail.',
  },
  {
    codes: ['451'],
    text: ['mailbox', 'quota', 'too many hops', 'too many recipients'],
    class: 'temporary',
    why: 'The same in words.',
  },
  {
    codes: ['451'],
    class: 'temporary',
    asksForLess: 'likely',
    why: 'Not now. Heard again and again it is about how much is sent.',
  },
  { codes: ['4yz'], class: 'temporary', why: 'Not now (RFC 5321 section 4.2.1).' },
  { codes: ['5yz'], class: 'permanent', why: 'Never (RFC 5321 section 4.2.1).' },
])
