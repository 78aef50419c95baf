import { beforeEach, describe, expect, test } from 'vitest'
import { EnvelopeIds } from '../../src/email/envelope-ids.ts'
import { bounceMessage, failedRecipient } from '../support/bounce-message.ts'
import { EmailFlow } from '../support/email-flow.ts'
import { emailRequested } from '../support/email-requests.ts'

const envelopeIds = new EnvelopeIds('a key that nobody guesses')
const envelopeId = envelopeIds.of({ source: 'billing', requestId: 'r-1' })
const callback = { context: { order: '7' }, url: null }

let flow: EmailFlow

beforeEach(() => {
  flow = new EmailFlow({ bounces: { envelopeIds, suppress: 'hard', byMessageId: false } })
  flow.request(emailRequested({ callback }))
  flow.endMail()
})

const reasons = () =>
  flow.driver
    .deadLetters()
    .map(({ headers }) => String(headers.find(each => each.key === 'error.message')?.value))

test('a report becomes a callback and an entry of the suppression list, once', async () => {
  await flow.report(bounceMessage({ envelopeId }))
  await flow.report(bounceMessage({ envelopeId }))

  expect(flow.callbacks()).toEqual([
    '1 SENT 250 accepted',
    '2 BOUNCED 5.1.1 ada@example.org: 550 5.1.1 <ada@example.org>: Recipient address rejected: nobody',
  ])
  expect(flow.driver.output(flow.topics.suppressed)).toMatchObject([
    { key: 'ada@example.org', value: { reason: 'HARD_BOUNCE', source: 'mailonce' } },
  ])
  expect(reasons()).toEqual([])
})

test('a report of a delay, or of a delivery, says nothing', async () => {
  const recipients = [
    { ...failedRecipient, Action: 'delayed', Status: '4.4.1' },
    { ...failedRecipient, Action: 'delivered', Status: '2.1.5' },
  ]
  await flow.report(bounceMessage({ envelopeId, recipients }))

  expect(flow.callbacks()).toHaveLength(1)
  expect(reasons()).toEqual([])
  expect(flow.driver.count('bounces_ignored')).toBe(1)
})

test.each([
  {
    what: 'without an envelope id',
    message: bounceMessage({ envelopeId: null }),
    reason: /has no Original-Envelope-Id/,
  },
  {
    what: 'with an envelope id of somebody else',
    message: bounceMessage({ envelopeId: 'envelope-1' }),
    reason: /envelope id is none of ours/,
  },
  {
    what: 'with a forged envelope id',
    message: bounceMessage({
      envelopeId: new EnvelopeIds('another key, just as long').of({
        source: 'billing',
        requestId: 'r-1',
      }),
    }),
    reason: /envelope id is none of ours/,
  },
  {
    what: 'about a stranger',
    message: bounceMessage({
      envelopeId,
      recipients: [{ ...failedRecipient, 'Original-Recipient': 'rfc822;eve@example.org' }],
    }),
    reason: /eve@example.org, who is no recipient of r-1/,
  },
  {
    what: 'that is none',
    message: Buffer.from('Subject: hi\r\n\r\nhi'),
    reason: /no delivery status/,
  },
])('a report $what goes to the dead letters with a reason', async ({ message, reason }) => {
  await flow.report(message)

  expect(reasons()).toEqual([expect.stringMatching(reason)])
  expect(flow.callbacks()).toHaveLength(1)
  expect(flow.driver.output(flow.topics.suppressed)).toEqual([])
})

test('where no key is configured nothing is believed', async () => {
  flow = new EmailFlow()
  await flow.report(bounceMessage({ envelopeId }))

  expect(reasons()).toEqual([expect.stringMatching(/bounces.key is not configured/)])
})

describe('by Message-ID, where that is asked for', () => {
  const messageId = '<billing.r-1@test>'
  const returned = (id: string): Buffer =>
    Buffer.from(
      bounceMessage({ envelopeId: null }).toString().replace('<original-1@example.com>', id),
    )

  beforeEach(() => {
    flow = new EmailFlow({ bounces: { envelopeIds, suppress: 'hard', byMessageId: true } })
    flow.request(emailRequested({ callback }))
    flow.endMail({ messageId })
    flow.callbacks()
  })

  test('a report without an envelope id is told, once, and suppresses nobody', async () => {
    await flow.report(returned(messageId))
    await flow.report(returned(messageId))

    expect(flow.callbacks()).toEqual([expect.stringMatching(/^2 BOUNCED 5\.1\.1 ada@example\.org/)])
    expect(flow.driver.output(flow.topics.suppressed)).toEqual([])
    expect(reasons()).toEqual([])
  })

  test('one with an envelope id is believed', async () => {
    await flow.report(bounceMessage({ envelopeId }))

    expect(flow.callbacks()).toHaveLength(1)
    expect(flow.driver.output(flow.topics.suppressed)).toHaveLength(1)
  })

  test('one of a mail of somebody else goes to the dead letters', async () => {
    await flow.report(returned('<other@example.com>'))

    expect(reasons()).toEqual([expect.stringMatching(/<other@example.com> is none of ours/)])
  })
})
