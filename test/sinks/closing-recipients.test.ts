import { describe, expect, test } from 'vitest'
import { ClosingRecipients } from '../../src/sinks/closing-recipients.ts'
import type { FailedAttempt, PreparedAttempt } from '../../src/sinks/sink.ts'
import { parseReply } from '../../src/sinks/smtp-reply.ts'
import type { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { reply, replyAndHangUp, type SmtpStep } from '../support/smtp/smtp-script.ts'
import { attemptOf, noSignal, sinkOf } from './mail-fixture.ts'

const ann = 'ann@example.com'
const bob = 'bob@example.com'

const send = (sink: SmtpSink, ...to: readonly string[]): Promise<PreparedAttempt | FailedAttempt> =>
  sink.prepare(attemptOf({ to }), noSignal)

/** A relay that says this to bob, and takes everybody else. */
const relayFor = (ehlo: readonly string[], toBob: SmtpStep): Promise<ScriptedSmtpServer> =>
  ScriptedSmtpServer.start({ ehlo, rcpt: to => (to === bob ? toBob : reply('250 ok')) })

describe.each([
  { how: 'pipelined', ehlo: ['PIPELINING'] },
  { how: 'one by one', ehlo: ['8BITMIME'] },
])('421 in reply to one RCPT, $how,', ({ ehlo }) => {
  test('is about the relay, the first time', async () => {
    await using relay = await relayFor(ehlo, replyAndHangUp('421 4.7.0 not you'))
    await using sink = sinkOf(relay)

    const result = await send(sink, ann, bob)

    expect(result).toMatchObject({ unavailable: true, deferred: [], asksForLess: 'certain' })
  })

  test('is about the recipient that draws it again: those beside it are served in the next', async () => {
    await using relay = await relayFor(ehlo, reply('421 4.7.0 not you'))
    await using sink = sinkOf(relay)
    await send(sink, ann, bob)

    const second = await send(sink, ann, bob)
    const third = await send(sink, ann)

    const deferred = [{ target: bob, reply: '421 4.7.0 not you', asksForLess: 'certain' }]
    expect(second).toMatchObject({ kind: 'failed', unavailable: false, deferred, refused: [] })
    expect(second).not.toHaveProperty('asksForLess')
    expect(third).toMatchObject({ kind: 'prepared', accepted: [ann] })
  })

  test('stays about the relay where nobody has been taken since', async () => {
    await using relay = await relayFor(ehlo, replyAndHangUp('421 4.7.0 not now'))
    await using sink = sinkOf(relay)
    await send(sink, bob)

    expect(await send(sink, bob)).toMatchObject({ unavailable: true, deferred: [] })
  })

  test('is about the recipient where others were taken since', async () => {
    await using relay = await relayFor(ehlo, replyAndHangUp('421 4.7.0 not you'))
    await using sink = sinkOf(relay)
    await send(sink, bob)
    const other = await send(sink, ann)
    if (other.kind === 'prepared') other.abandon()

    expect(await send(sink, bob)).toMatchObject({ unavailable: false, deferred: [{ target: bob }] })
  })
})

test.each(['421 4.3.2 shutting down', '421 4.4.2 timeout', '450 4.7.1 later'])(
  '%s is never about the recipient',
  line => {
    const closing = new ClosingRecipients()
    closing.isTheReason(bob, parseReply(line), false)
    closing.taken([ann])

    expect(closing.isTheReason(bob, parseReply(line), false)).toBe(false)
  },
)

test('who has been accepted begins anew', () => {
  const closing = new ClosingRecipients()
  const said = parseReply('421 not you')
  closing.isTheReason(bob, said, false)
  closing.taken([bob])

  expect(closing.isTheReason(bob, said, false)).toBe(false)
})

test('of very many recipients the oldest are forgotten', () => {
  const closing = new ClosingRecipients()
  const said = parseReply('421 not you')
  for (let each = 0; each < 1001; each += 1) closing.isTheReason(`r-${each}`, said, false)

  const again = ['r-0', 'r-1000'].map(each => closing.isTheReason(each, said, false))

  expect(again).toEqual([false, true])
})
