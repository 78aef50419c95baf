import { describe, expect, test } from 'vitest'
import { silentLogger, type LogFields } from '../../src/log.ts'
import { DryRunSink, isDryRunReply } from '../../src/sinks/dry-run-sink.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { RedirectSink } from '../../src/sinks/redirect-sink.ts'
import type { FailedAttempt, PreparedAttempt, Sink, SinkAttempt } from '../../src/sinks/sink.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { reply } from '../support/smtp/smtp-script.ts'
import { attemptOf, noSignal, sinkOf } from './mail-fixture.ts'

async function prepared(
  sink: Sink<MailRequest>,
  attempt: SinkAttempt<MailRequest>,
): Promise<PreparedAttempt> {
  const result = await sink.prepare(attempt, noSignal)
  if (result.kind === 'failed') throw new Error(`not prepared: ${result.reply}`)
  return result
}

describe('a dry run', () => {
  test('does everything but the final dot, and says so', async () => {
    await using relay = await ScriptedSmtpServer.start()
    await using sink = new DryRunSink(sinkOf(relay), 'the final dot')

    const attempt = await prepared(sink, attemptOf({ text: 'the body' }))
    const outcome = await attempt.perform(() => true)
    await relay.until(({ openConnections }) => openConnections === 0)

    expect(outcome.kind).toBe('refused')
    expect(outcome.reply).toBe(
      `dry run: 127.0.0.1:${relay.port} took everything up to the final dot, which was not sent`,
    )
    expect(isDryRunReply(outcome.reply)).toBe(true)
    expect(relay.sessions[0]?.wireBody).toContain('the body')
    expect(relay.accepted).toEqual([])
    expect(relay.commands).not.toContain('.')
  })

  test('tells what the relay says before the dot as it is', async () => {
    await using relay = await ScriptedSmtpServer.start({ rcpt: reply('550 5.1.1 nobody') })
    await using sink = new DryRunSink(sinkOf(relay), 'the final dot')

    const result = await sink.prepare(attemptOf(), noSignal)

    expect(result).toMatchObject({ kind: 'failed', refused: [{ reply: '550 5.1.1 nobody' }] })
  })

  test('that comes too late was not made', async () => {
    await using relay = await ScriptedSmtpServer.start()
    await using sink = new DryRunSink(sinkOf(relay), 'the final dot')

    const attempt = await prepared(sink, attemptOf())

    expect(await attempt.perform(() => false)).toMatchObject({ kind: 'abandoned' })
  })
})

describe('a redirection', () => {
  const recipients = { to: ['ann@example.com'], cc: ['bob@example.com'], bcc: ['eve@example.com'] }

  test('sends to one address alone, and the mail names whom it was meant for', async () => {
    await using relay = await ScriptedSmtpServer.start()
    const logged: LogFields[] = []
    const log = { ...silentLogger, info: (fields: LogFields) => void logged.push(fields) }
    await using sink = new RedirectSink(sinkOf(relay), 'team@example.org', log)

    const attempt = await prepared(sink, attemptOf(recipients))
    const outcome = await attempt.perform(() => true)

    const [mail] = relay.accepted
    expect(mail?.to).toEqual(['team@example.org'])
    expect(mail?.data.replaceAll('\r\n ', ' ')).toContain(
      'X-Mailonce-Original-Recipients: ann@example.com, bob@example.com, eve@example.com\r\n',
    )
    expect(attempt.accepted).toEqual(['ann@example.com', 'bob@example.com', 'eve@example.com'])
    expect(outcome).toMatchObject({ kind: 'done' })
    expect(outcome.reply).toMatch(/^250 .* \(redirected to team@example\.org\)$/)
    expect(logged).toEqual([
      {
        event: 'redirected',
        source: 'shop',
        requestId: 'r-1',
        recipients: ['ann@example.com', 'bob@example.com', 'eve@example.com'],
      },
    ])
  })

  test.each([
    { line: '550 5.1.1 nobody', list: 'refused' },
    { line: '450 4.2.0 later', list: 'deferred' },
  ] as const)('that is answered by $line is that for all of them', async ({ line, list }) => {
    await using relay = await ScriptedSmtpServer.start({ rcpt: reply(line) })
    await using sink = new RedirectSink(sinkOf(relay), 'team@example.org', silentLogger)

    const result = (await sink.prepare(attemptOf(recipients), noSignal)) as FailedAttempt

    expect(result[list]).toMatchObject(
      ['ann', 'bob', 'eve'].map(name => ({
        target: `${name}@example.com`,
        reply: `${line} (redirected to team@example.org)`,
      })),
    )
  })

  test.each([
    {
      rule: 'of a request that asks for them',
      change: {
        unsubscribe: { url: 'https://a.test/u?id=1', mailto: 'off@a.test', oneClick: true },
      },
      shown: '<https://a.test/u?id=1>, <mailto:off@a.test>',
    },
    {
      rule: 'among the headers of a request',
      change: {
        headers: {
          'list-unsubscribe': '<https://a.test/own>',
          'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        },
      },
      shown: '<https://a.test/own>',
    },
  ])('unsubscribes nobody: the headers $rule have no effect', async ({ change, shown }) => {
    await using relay = await ScriptedSmtpServer.start()
    await using sink = new RedirectSink(sinkOf(relay), 'team@example.org', silentLogger)

    const attempt = await prepared(sink, attemptOf({ ...recipients, ...change }))
    await attempt.perform(() => true)

    const mail = relay.accepted[0]?.data.replaceAll('\r\n ', ' ') ?? ''
    expect(mail).not.toMatch(/^list-unsubscribe/im)
    expect(mail.toLowerCase()).toContain(`x-mailonce-original-list-unsubscribe: ${shown}\r\n`)
    expect(mail).toContain('X-Mailonce-Original-List-Unsubscribe-Post: List-Unsubscribe=One-Click')
  })

  test('of a dry run sends nothing to nobody', async () => {
    await using relay = await ScriptedSmtpServer.start()
    const redirect = new RedirectSink(sinkOf(relay), 'team@example.org', silentLogger)
    await using sink = new DryRunSink(redirect, 'the final dot')

    const attempt = await prepared(sink, attemptOf(recipients))
    const outcome = await attempt.perform(() => true)

    expect(isDryRunReply(outcome.reply)).toBe(true)
    expect(relay.commands.filter(each => each.startsWith('RCPT'))).toHaveLength(1)
    expect(relay.accepted).toEqual([])
  })
})
