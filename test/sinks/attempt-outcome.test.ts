import { describe, expect, test } from 'vitest'
import type { ReplyRule } from '../../src/sinks/reply-rule.ts'
import { reply, type SmtpScript } from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, noSignal, sinkOf } from './mail-fixture.ts'

type Phase = 'mail' | 'rcpt' | 'data' | 'dot'

/** What one reply in one phase comes to, for the only recipient. */
async function comesTo(phase: Phase, line: string, replyRules: ReplyRule[] = []): Promise<object> {
  const script: SmtpScript = { [phase]: reply(line) }
  await using relay = await ScriptedSmtpServer.start(script)
  await using sink = sinkOf(relay, { replyRules })
  const attempt = await sink.prepare(attemptOf(), noSignal)
  if (attempt.kind === 'prepared') return await attempt.perform(() => true)
  const { refused, deferred, unavailable, retryAfterMs, asksForLess } = attempt
  const [target] = [...refused, ...deferred]
  const kind = refused.length > 0 ? 'refused' : deferred.length > 0 ? 'deferred' : 'nothing'
  const { target: _name, ...said } = target ?? { target: '', reply: attempt.reply }
  return {
    kind,
    ...said,
    ...(unavailable ? { unavailable } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(asksForLess === undefined ? {} : { asksForLess }),
  }
}

const about: Readonly<Record<string, object>> = {
  refused: { kind: 'refused' },
  deferred: { kind: 'deferred' },
  throttled: { kind: 'deferred', asksForLess: 'certain' },
  'throttled, perhaps': { kind: 'deferred', asksForLess: 'likely' },
  'in 5 min': { kind: 'deferred', retryAfterMs: 300_000 },
  'throttled, in 60 s': { kind: 'deferred', asksForLess: 'certain', retryAfterMs: 60_000 },
}

describe.each(['mail', 'rcpt', 'data', 'dot'] as const)('in reply to %s', phase => {
  test.each([
    ['550 5.1.1 no such user', 'refused'],
    ['554 5.7.1 spam', 'refused'],
    ['451 4.3.0 later', 'throttled, perhaps'],
    ['450 4.3.0 later', 'deferred'],
    ['450 4.7.1 Greylisted for 5 minutes', 'in 5 min'],
    ['550 5.7.1 Greylisted for 5 minutes', 'in 5 min'],
    ['554 5.7.0 try again later', 'deferred'],
    ['554 try again in 5 minutes', 'in 5 min'],
    ['550 5.7.1 rate limited', 'throttled'],
    ['550 5.7.1 rate limited, try again in 60 seconds', 'throttled, in 60 s'],
    ['552 5.2.2 mailbox full', 'deferred'],
    ['452 4.2.2 mailbox full', 'deferred'],
    ['452 4.5.3 too many recipients', 'deferred'],
  ])('%s: %s', async (line, meaning) => {
    expect(await comesTo(phase, line)).toEqual({ ...about[meaning], reply: line })
  })

  test('what is about the relay settles nobody', async () => {
    const line = '530 5.7.0 log in first, try again in 60 seconds'

    const said = await comesTo(phase, line)

    const kind = phase === 'dot' ? 'deferred' : 'nothing'
    expect(said).toMatchObject({ kind, unavailable: true, retryAfterMs: 60_000 })
  })

  test('a rule of an operator counts before the built-in ones', async () => {
    const rules: ReplyRule[] = [
      { text: ['listed in'], class: 'temporary' },
      { codes: ['451'], text: ['no relay'], class: 'permanent' },
    ]

    const listed = await comesTo(phase, '554 5.7.1 listed in RBL', rules)
    const closed = await comesTo(phase, '451 4.7.1 no relay', rules)

    expect([listed, closed]).toMatchObject([{ kind: 'deferred' }, { kind: 'refused' }])
  })
})

test('no rule makes an answer of what is none, nor a refusal of a 250', async () => {
  const rules: ReplyRule[] = [{ text: ['/./'], class: 'temporary' }]

  expect(await comesTo('dot', '250 2.0.0 try again later', rules)).toMatchObject({ kind: 'done' })
  expect(await comesTo('dot', '354 try again later', rules)).toMatchObject({ kind: 'unknown' })
  expect(await comesTo('dot', '2xx try again later', rules)).toMatchObject({ kind: 'unknown' })
})
