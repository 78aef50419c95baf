import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bounceReportSerde } from '../../src/email/bounce-report.ts'
import { EnvelopeIds } from '../../src/email/envelope-ids.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { attemptOf, prepared } from '../sinks/mail-fixture.ts'
import { Postfix, postfixMissing } from '../support/postfix/postfix.ts'

const envelopeIds = new EnvelopeIds('a key that nobody guesses')
const requestId = '0190f5b6-7d2a-7c31-9f2e-0a1b2c3d4e5f'

describe.skipIf(postfixMissing !== null)(`Postfix (${postfixMissing ?? 'a real one'})`, () => {
  let postfix: Postfix
  beforeAll(async () => {
    postfix = await Postfix.start()
  })
  afterAll(async () => {
    await postfix[Symbol.asyncDispose]()
  })

  test('its report of a mail that came back leads to the request and the recipient', async () => {
    await using sink = new SmtpSink({
      url: postfix.url('plain'),
      from: 'default@example.org',
      envelopeIdOf: mail => envelopeIds.of(mail),
    })
    const from = 'returns+here@example.org'
    const to = ['ann@example.com', 'bounced@example.com']

    const attempt = await prepared(sink, attemptOf({ requestId, from, to }))
    await attempt.perform(() => true)
    await postfix.untilLog(/to=<returns\+here@example\.org>.*status=sent/)
    const report = (await postfix.mails()).find(each => each.recipient === from)
    const bytes = Buffer.from(report?.message ?? '', 'latin1')
    const serde = bounceReportSerde()
    await serde.prepare(bytes)
    const { envelopeId, recipients } = serde.deserialize(bytes)

    expect(envelopeIds.read(envelopeId ?? '')).toEqual({ source: 'shop', requestId })
    expect(recipients).toEqual([
      {
        recipient: 'bounced@example.com',
        action: 'failed',
        status: '5.1.1',
        diagnostic: expect.stringContaining('user unknown') as unknown,
      },
    ])
  })
})
