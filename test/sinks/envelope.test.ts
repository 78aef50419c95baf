import { describe, expect, test } from 'vitest'
import {
  halfReplyAndHangUp,
  hangUp,
  reply,
  replyAndHangUp,
  silence,
  type SmtpScript,
} from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { attemptOf, failed, noSignal, prepared, sinkOf } from './mail-fixture.ts'

const pipelining = ['PIPELINING', '8BITMIME']
const oneByOne = ['8BITMIME']

describe.each([
  { how: 'pipelined', ehlo: pipelining },
  { how: 'one by one', ehlo: oneByOne },
])('with commands $how', ({ ehlo }) => {
  test.each<{ rule: string; script: SmtpScript; expected: object }>([
    {
      rule: 'a sender refused with 5yz refuses every target',
      script: { mail: reply('550 5.1.8 no such sender') },
      expected: {
        reached: true,
        unavailable: false,
        refused: [{ target: 'ann@example.com', reply: '550 5.1.8 no such sender' }],
        deferred: [],
      },
    },
    {
      rule: 'a sender put off with 4yz defers every target',
      script: { mail: reply('451 4.7.1 greylisted') },
      expected: {
        reached: true,
        refused: [],
        deferred: [{ target: 'ann@example.com', reply: '451 4.7.1 greylisted' }],
      },
    },
    {
      rule: 'a recipient refused with 5yz is refused',
      script: { rcpt: reply('550-5.1.1 no such', '550 5.1.1 mailbox') },
      expected: {
        reached: true,
        refused: [{ target: 'ann@example.com', reply: '550 5.1.1 no such mailbox' }],
        deferred: [],
      },
    },
    {
      rule: 'DATA refused with 4yz defers the accepted targets',
      script: { data: reply('452 4.3.1 no room') },
      expected: {
        reached: true,
        refused: [],
        deferred: [{ target: 'ann@example.com', reply: '452 4.3.1 no room' }],
      },
    },
    {
      rule: 'DATA refused with 5yz refuses the accepted targets',
      script: { data: reply('554 5.7.1 no') },
      expected: { refused: [{ target: 'ann@example.com', reply: '554 5.7.1 no' }], deferred: [] },
    },
    {
      rule: 'DATA answered by 250 is not believed',
      script: { data: reply('250 2.0.0 fine') },
      expected: { reached: true, refused: [], deferred: [], unavailable: false },
    },
    {
      rule: '421 to MAIL says that the relay is out of reach',
      script: { mail: replyAndHangUp('421 4.3.2 going down') },
      expected: {
        reached: true,
        unavailable: true,
        refused: [],
        deferred: [],
        reply: '421 4.3.2 going down',
      },
    },
    {
      rule: '421 to RCPT says that the relay is out of reach',
      script: { rcpt: replyAndHangUp('421 4.3.2 going down') },
      expected: { reached: true, unavailable: true, refused: [], deferred: [] },
    },
    {
      rule: 'a relay that hangs up at MAIL is out of reach, and the try does not count',
      script: { mail: hangUp },
      expected: { reached: false, unavailable: true, refused: [], deferred: [] },
    },
    {
      rule: 'a sender is put off by what was said to MAIL, though the relay hangs up before its last answer',
      script: {
        mail: reply('451 4.7.1 not now'),
        rcpt: reply('503 5.5.1 need MAIL command'),
        data: hangUp,
      },
      expected: {
        reached: true,
        refused: [],
        deferred: [{ target: 'ann@example.com', reply: '451 4.7.1 not now' }],
      },
    },
    {
      rule: 'a relay that hangs up amid a reply of several lines has answered',
      script: { mail: halfReplyAndHangUp('550-5.7.1 no\r\n') },
      expected: { reached: true, unavailable: false, refused: [], deferred: [] },
    },
  ])('$rule', async ({ script, expected }) => {
    await using relay = await ScriptedSmtpServer.start({ ehlo, ...script })
    await using sink = sinkOf(relay)

    const attempt = await failed(sink)

    expect(attempt).toMatchObject(expected)
    expect(relay.accepted).toEqual([])
  })

  test('goes on with the accepted recipients and tells the fate of the others', async () => {
    const replies: Readonly<Record<string, string>> = {
      'ann@example.com': '250 2.1.5 ok',
      'bob@example.com': '550 5.1.1 unknown',
      'cid@example.com': '452 4.5.3 too many recipients',
      'dee@example.com': '451 4.7.1 greylisted',
    }
    const to = Object.keys(replies)
    await using relay = await ScriptedSmtpServer.start({
      ehlo,
      rcpt: recipient => reply(replies[recipient] ?? '554 not asked for'),
    })
    await using sink = sinkOf(relay)

    const attempt = await prepared(sink, attemptOf({ to }))
    await attempt.perform(() => true)

    expect(attempt.accepted).toEqual(['ann@example.com'])
    expect(attempt.refused).toEqual([{ target: 'bob@example.com', reply: '550 5.1.1 unknown' }])
    // Whoever is in no list comes in a further transaction.
    expect(attempt.deferred.map(({ target }) => target)).toEqual(['dee@example.com'])
    expect(relay.accepted.map(mail => mail.to)).toEqual([['ann@example.com']])
  })

  test('resets after a refused envelope before the connection is used again', async () => {
    await using relay = await ScriptedSmtpServer.start({
      ehlo,
      mail: sender => reply(sender === 'bad@example.org' ? '550 5.1.8 no' : '250 ok'),
    })
    await using sink = sinkOf(relay, { connectionsMax: 1 })

    await failed(sink, attemptOf({ from: 'bad@example.org' }))
    const attempt = await prepared(sink)
    await attempt.perform(() => true)

    const [session] = relay.sessions
    const senders = session?.commands.filter(line => /^(MAIL|RSET)/.test(line)) ?? []
    expect(senders.map(line => line.slice(0, 4))).toEqual(['MAIL', 'RSET', 'MAIL'])
    expect(relay.accepted).toHaveLength(1)
  })

  test('a relay that is silent at RCPT is given up when its time is over', async () => {
    const clock = new ManualClock()
    await using relay = await ScriptedSmtpServer.start({ ehlo, rcpt: silence })
    await using sink = sinkOf(relay, { clock, replyTimeoutMs: 60_000 })

    const attempt = sink.prepare(attemptOf(), noSignal)
    await relay.until(({ commands }) => commands.some(line => line.startsWith('RCPT')))
    clock.advance(60_000)

    expect(await attempt).toMatchObject({ kind: 'failed', refused: [], deferred: [] })
    await relay.until(({ openConnections }) => openConnections === 0)
  })

  test('a try stopped at RCPT drops its connection and does not count', async () => {
    await using relay = await ScriptedSmtpServer.start({ ehlo, rcpt: silence })
    await using sink = sinkOf(relay)
    const stop = new AbortController()

    const attempt = sink.prepare(attemptOf(), stop.signal)
    await relay.until(({ commands }) => commands.some(line => line.startsWith('RCPT')))
    stop.abort()

    expect(await attempt).toMatchObject({ kind: 'failed', reached: false, unavailable: false })
    await relay.until(({ openConnections }) => openConnections === 0)
  })
})

test.each<{ rule: string; script: SmtpScript }>([
  { rule: 'a 421 greeting', script: { greeting: replyAndHangUp('421 4.3.2 busy') } },
  { rule: 'a 554 greeting', script: { greeting: replyAndHangUp('554 5.3.2 no service') } },
  { rule: 'no greeting but a closed connection', script: { greeting: hangUp } },
  { rule: '421 to EHLO', script: { ehlo: replyAndHangUp('421 4.3.2 busy') } },
  { rule: 'a closed connection at EHLO', script: { ehlo: hangUp } },
  {
    rule: 'STARTTLS refused',
    script: { ehlo: ['STARTTLS'], starttls: reply('454 4.7.0 not now') },
  },
])('$rule makes the relay unavailable, and the try does not count', async ({ script }) => {
  await using relay = await ScriptedSmtpServer.start(script)
  await using sink = sinkOf(relay)

  const attempt = await failed(sink)

  expect(attempt).toMatchObject({ reached: false, unavailable: true, refused: [], deferred: [] })
  expect(attempt.messageId).toMatch(/^<[a-z2-7]{52}@example\.org>$/)
})

test('a relay that does not listen is unavailable', async () => {
  const relay = await ScriptedSmtpServer.start()
  const { url } = relay
  await relay[Symbol.asyncDispose]()
  await using sink = sinkOf({ url } as ScriptedSmtpServer)

  expect(await failed(sink)).toMatchObject({ reached: false, unavailable: true })
})
