import { expect, describe, test } from 'vitest'
import { startLmtpListener } from '../../src/cli/lmtp-listener.ts'
import { bounceReportSerde } from '../../src/email/bounce-report.ts'
import { EnvelopeIds } from '../../src/email/envelope-ids.ts'
import { StreamsError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { attemptOf, prepared } from '../sinks/mail-fixture.ts'
import { Postfix, postfixMissing } from '../support/postfix/postfix.ts'

const envelopeIds = new EnvelopeIds('a key that nobody guesses')

describe.skipIf(postfixMissing !== null)(`Postfix (${postfixMissing ?? 'a real one'})`, () => {
  test('hands its report in, again while it is not committed, until it is', async () => {
    const handed: Buffer[] = []
    const taken = Promise.withResolvers<Buffer>()
    await using listener = await startLmtpListener({
      listen: { host: '127.0.0.1', port: 0 },
      publish: message => {
        handed.push(message)
        if (handed.length === 1)
          return Promise.reject(new StreamsError('BROKER_UNAVAILABLE', 'no broker'))
        return Promise.resolve(taken.resolve(message))
      },
      log: silentLogger,
    })
    const returnsPort = Number(listener.address.split(':').at(-1))
    await using postfix = await Postfix.start({ returnsPort })
    await using sink = new SmtpSink({
      url: postfix.url('plain'),
      from: 'default@example.org',
      envelopeIdOf: mail => envelopeIds.of(mail),
    })

    const mail = { from: 'returns@example.org', to: ['bounced@example.com'] }
    const attempt = await prepared(sink, attemptOf(mail))
    await attempt.perform(() => true)
    const report = await taken.promise
    await postfix.untilLog(/relay=127\.0\.0\.1.*status=sent \(250 2\.0\.0 taken\)/)

    const serde = bounceReportSerde()
    await serde.prepare(report)
    const { envelopeId, messageId, recipients } = serde.deserialize(report)
    expect(envelopeIds.read(envelopeId ?? '')).toEqual({ source: 'shop', requestId: 'r-1' })
    expect(messageId).toBe(attempt.messageId)
    expect(recipients).toMatchObject([
      { recipient: 'bounced@example.com', action: 'failed', status: '5.1.1' },
    ])
    expect(postfix.log.filter(line => line.includes('451 4.3.0'))).toHaveLength(1)
    expect(handed).toHaveLength(2)
  }, 60_000)
})
