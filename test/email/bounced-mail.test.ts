import { beforeEach, expect, test } from 'vitest'
import {
  bounce,
  CallbackStage,
  callback,
  emailFailed,
  emailSent,
} from '../support/callback-stage.ts'
import { noonMs } from '../support/email-requests.ts'

const toAda = [{ address: 'ada@example.org', status: 'ACCEPTED', reply: '250 ok' }] as const
const sent = emailSent({ recipients: toAda })

let stage: CallbackStage

beforeEach(() => {
  stage = new CallbackStage({ suppress: 'hard', byMessageId: false })
})

const wordsOf = (records: ReturnType<CallbackStage['read']>): string[] =>
  records.map(({ value }) => `${value.sequence} ${value.outcome} ${value.detail}`)

test('who asked for a callback is told that the mail came back, after the end', () => {
  const [end] = stage.read(sent)
  const [bounced, ...more] = stage.read(bounce())

  expect(end?.value).toMatchObject({ sequence: 1, outcome: 'SENT' })
  expect(bounced?.value).toMatchObject({
    sequence: 2,
    outcome: 'BOUNCED',
    detail: '5.1.1 ada@example.org: 550 5.1.1 nobody here',
    messageId: sent.messageId,
    context: callback.context,
    occurredAt: noonMs + 60_000,
  })
  expect(more).toEqual([])
})

test('whoever gave a URL gets the same as a webhook', () => {
  stage.read({ ...sent, callback: { ...callback, url: 'https://shop.example/mail' } })
  const [bounced] = stage.read(bounce())

  const { url, eventId, body } = stage.webhooks.at(-1)!.value
  expect(stage.webhooks).toHaveLength(2)
  expect({ url, eventId }).toEqual({
    url: 'https://shop.example/mail',
    eventId: bounced?.value.eventId,
  })
  expect(JSON.parse(body)).toMatchObject({ type: 'email.bounced', data: bounced?.value })
})

test('nobody is told who asked for no callback; the address is suppressed all the same', () => {
  stage.read({ ...sent, callback: null })

  expect(stage.read(bounce())).toEqual([])
  expect([...stage.suppressions.keys()]).toEqual(['ada@example.org'])
})

test('a report that comes again, or anew, brings no second callback', () => {
  stage.read(sent)
  stage.read(bounce())
  stage.suppressions.clear()

  const again = stage.read(bounce())
  const anew = stage.read(bounce({ reported: { partition: 0, offset: 9, timestampMs: noonMs } }))

  expect([again, anew]).toEqual([[], []])
  expect(stage.suppressions.size).toBe(0)
})

test('each recipient of a request has a callback of its own, whose event id differs', () => {
  const both = [...toAda, { address: 'bob@example.org', status: 'ACCEPTED', reply: '' } as const]
  stage.read({ ...sent, recipients: both })

  const [ada] = stage.read(bounce())
  const [bob] = stage.read(bounce({ recipient: 'bob@example.org' }))

  expect(wordsOf([ada!, bob!])).toEqual([
    '2 BOUNCED 5.1.1 ada@example.org: 550 5.1.1 nobody here',
    '3 BOUNCED 5.1.1 bob@example.org: 550 5.1.1 nobody here',
  ])
  expect(ada?.value.eventId).not.toBe(bob?.value.eventId)
})

test('a report about somebody to whom the mail did not go is refused: it cannot suppress a stranger', () => {
  stage.read(sent)

  expect(() => stage.read(bounce({ recipient: 'eve@example.org' }))).toThrow(
    expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
  )
  expect(stage.suppressions.size).toBe(0)
})

test('a recipient is the same however the domain is written', () => {
  stage.read(sent)

  expect(stage.read(bounce({ recipient: 'ada@EXAMPLE.org' }))).toHaveLength(1)
  expect([...stage.suppressions.keys()]).toEqual(['ada@example.org'])
})

test('a report that overtakes the end waits for it, and is told after it', () => {
  const early = [
    ...stage.read(bounce()),
    ...stage.read(bounce()),
    ...stage.read(bounce({ recipient: 'eve@example.org' })),
  ]

  expect(early).toEqual([])
  expect(wordsOf(stage.read(sent))).toEqual([
    '1 SENT 250 2.0.0 queued',
    '2 BOUNCED 5.1.1 ada@example.org: 550 5.1.1 nobody here',
  ])
  expect([...stage.suppressions.keys()]).toEqual(['ada@example.org'])
})

test('a mail in doubt may come back: then it had been taken', () => {
  const recipients = [{ address: 'ada@example.org', status: 'UNKNOWN', reply: '' } as const]
  stage.read(emailFailed({ reason: 'IN_DOUBT', messageId: '<m@example.org>', recipients }))

  expect(stage.read(bounce())[0]?.value.outcome).toBe('BOUNCED')
})

test('a revised end is the same mail: what was reported stays reported', () => {
  const recipients = [{ address: 'ada@example.org', status: 'UNKNOWN', reply: '' } as const]
  stage.read(emailFailed({ reason: 'IN_DOUBT', messageId: sent.messageId, recipients }))
  stage.read(bounce())
  stage.read(sent)

  expect(stage.read(bounce())).toEqual([])
})

test('another request of the id is another mail', () => {
  stage.read(sent)
  stage.read(bounce())
  stage.read({ ...sent, messageId: '<n@example.org>', requestedAt: noonMs + 1 })

  expect(stage.read(bounce())[0]?.value).toMatchObject({
    outcome: 'BOUNCED',
    messageId: '<n@example.org>',
  })
})

test.each([
  { status: '5.1.1', suppress: 'hard', gone: true },
  { status: '5.1.2', suppress: 'hard', gone: true },
  { status: '5.1.10', suppress: 'hard', gone: true },
  { status: '5.2.1', suppress: 'hard', gone: true },
  { status: '5.2.2', suppress: 'hard', gone: false },
  { status: '5.7.1', suppress: 'hard', gone: false },
  { status: '5.0.0', suppress: 'hard', gone: false },
  { status: '4.4.7', suppress: 'hard', gone: false },
  { status: '5.1.1', suppress: 'none', gone: false },
] as const)('with the rule $suppress, $status suppresses: $gone', ({ status, suppress, gone }) => {
  const ruled = new CallbackStage({ suppress, byMessageId: false })
  ruled.read(sent)

  const told = ruled.read(bounce({ status }))

  expect(told).toHaveLength(1)
  expect([...ruled.suppressions.values()]).toEqual(
    gone
      ? [
          {
            address: 'ada@example.org',
            reason: 'HARD_BOUNCE',
            detail: `${status} 550 5.1.1 nobody here`,
            source: 'mailonce',
            at: noonMs + 60_000,
          },
        ]
      : [],
  )
})

test('what is known of a mail is forgotten with its outcome, and nothing is kept where bounces are not asked for', () => {
  stage.read(sent)
  stage.context.sweep(stage.store, noonMs + 20 * 24 * 3_600_000)
  const deaf = new CallbackStage()
  deaf.read(sent)

  expect(stage.context.entries(stage.store).size).toBe(0)
  expect([...deaf.context.entries(deaf.store).keys()]).toEqual(['o|billing\0r-1'])
})

test('a report that only knows the Message-ID is told and suppresses nobody; a signed one still does', () => {
  stage.read(sent)

  const told = stage.read(bounce({ signed: false }))
  const again = stage.read(bounce({ signed: false }))
  const before = stage.suppressions.size
  const signed = stage.read(bounce())
  const suppressed = [...stage.suppressions.keys()]
  stage.suppressions.clear()
  stage.read(bounce())

  expect(wordsOf(told)).toEqual(['2 BOUNCED 5.1.1 ada@example.org: 550 5.1.1 nobody here'])
  expect([again, signed]).toEqual([[], []])
  expect([before, suppressed, stage.suppressions.size]).toEqual([0, ['ada@example.org'], 0])
})
