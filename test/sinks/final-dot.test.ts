import { describe, expect, test } from 'vitest'
import {
  halfReplyAndHangUp,
  hangUp,
  reply,
  replyAndHangUp,
  silence,
  type SmtpStep,
} from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { attemptOf, failed, noSignal, prepared, sinkOf } from './mail-fixture.ts'

describe.each([
  { how: 'in clear text', ehlo: ['PIPELINING'] },
  { how: 'over STARTTLS', ehlo: ['PIPELINING', 'STARTTLS'] },
])('$how', ({ ehlo }) => {
  test.each<{ rule: string; dot: SmtpStep; kind: string; reply: string }>([
    { rule: '2yz is done', dot: reply('250 2.0.0 ok'), kind: 'done', reply: '250 2.0.0 ok' },
    {
      rule: '2yz of several lines is done',
      dot: reply('250-2.0.0 ok', '250 2.0.0 queued as 7'),
      kind: 'done',
      reply: '250 2.0.0 ok queued as 7',
    },
    {
      rule: '2yz is done, even if the relay hangs up with it',
      dot: replyAndHangUp('250 2.0.0 ok'),
      kind: 'done',
      reply: '250 2.0.0 ok',
    },
    {
      rule: '4yz is deferred',
      dot: reply('451 4.3.0 no'),
      kind: 'deferred',
      reply: '451 4.3.0 no',
    },
    { rule: '5yz is refused', dot: reply('554 5.7.1 no'), kind: 'refused', reply: '554 5.7.1 no' },
    { rule: '3yz is in doubt', dot: reply('354 what'), kind: 'unknown', reply: '354 what' },
    { rule: 'garbage is in doubt', dot: reply('2xx hello'), kind: 'unknown', reply: '2xx hello' },
    { rule: 'a two-digit code is in doubt', dot: reply('25 ok'), kind: 'unknown', reply: '25 ok' },
    {
      rule: 'lines that contradict each other are in doubt',
      dot: reply('250-ok', '550 no'),
      kind: 'unknown',
      reply: '250-ok 550 no',
    },
    {
      rule: 'a closed connection is in doubt at once',
      dot: hangUp,
      kind: 'unknown',
      reply: 'the connection was closed',
    },
    {
      rule: 'half a positive reply is in doubt',
      dot: halfReplyAndHangUp('250 2.0.0 o'),
      kind: 'unknown',
      reply: 'the connection was closed in the middle of 250 2.0.0 o',
    },
    {
      rule: 'half a negative reply is in doubt',
      dot: halfReplyAndHangUp('550 5.0.0 n'),
      kind: 'unknown',
      reply: 'the connection was closed in the middle of 550 5.0.0 n',
    },
    {
      rule: 'the first line of a longer reply is in doubt',
      dot: { say: '250-2.0.0 ok\r\n', hangUp: true },
      kind: 'unknown',
      reply: 'the connection was closed in the middle of 250-2.0.0 ok',
    },
  ])('after the dot $rule', async ({ dot, kind, reply: line }) => {
    await using relay = await ScriptedSmtpServer.start({ ehlo, dot })
    await using sink = sinkOf(relay)
    const attempt = await prepared(sink)

    const outcome = await attempt.perform(() => true)

    expect(outcome).toMatchObject({ kind, reply: line })
    expect(relay.commands.filter(command => command === '.')).toHaveLength(1)
  })

  test('after the dot 421 is deferred, and is about the relay', async () => {
    await using relay = await ScriptedSmtpServer.start({
      ehlo,
      dot: replyAndHangUp('421 4.3.2 bye'),
    })
    await using sink = sinkOf(relay)
    const attempt = await prepared(sink)

    const outcome = await attempt.perform(() => true)

    expect(outcome).toEqual({ kind: 'deferred', reply: '421 4.3.2 bye', unavailable: true })
  })

  test('silence after the dot is in doubt after 10 minutes, not before', async () => {
    const clock = new ManualClock()
    await using relay = await ScriptedSmtpServer.start({ ehlo, dot: silence })
    await using sink = sinkOf(relay, { clock })
    const attempt = await prepared(sink)

    let settled = false
    const outcome = attempt.perform(() => true).finally(() => (settled = true))
    await relay.until(({ commands }) => commands.includes('.'))
    clock.advance(599_999)
    await new Promise(setImmediate)
    const settledEarly = settled
    clock.advance(1)

    expect(settledEarly).toBe(false)
    expect(await outcome).toEqual({ kind: 'unknown', reply: 'no reply to the final dot' })
  })

  test.each<{ rule: string; step: SmtpStep }>([
    { rule: 'hangs up', step: hangUp },
    { rule: 'says 421', step: replyAndHangUp('421 4.4.2 timeout') },
    { rule: 'says 451', step: reply('451 4.3.0 no more') },
    { rule: 'says 250 too early', step: reply('250 2.0.0 queued') },
  ])('a held mail is lost, not sent, when the relay $rule', async ({ step }) => {
    await using relay = await ScriptedSmtpServer.start({ ehlo })
    await using sink = sinkOf(relay)
    const attempt = await prepared(sink)

    relay.sessions[0]?.do(step)
    const reason = await attempt.lost
    let asked = false
    const outcome = await attempt.perform(() => (asked = true))

    expect(reason).not.toBe('')
    expect(outcome.kind).toBe('abandoned')
    expect(asked).toBe(false)
    await relay.until(({ openConnections }) => openConnections === 0)
    expect(relay.accepted).toEqual([])
  })

  test('a mail that is held for more than 5 s is lost, not sent', async () => {
    const clock = new ManualClock()
    await using relay = await ScriptedSmtpServer.start({ ehlo })
    await using sink = sinkOf(relay, { clock })
    const attempt = await prepared(sink)

    clock.advance(5000)

    expect(await attempt.lost).toBe('held for too long')
    expect(await attempt.perform(() => true)).toMatchObject({ kind: 'abandoned' })
    await relay.until(({ openConnections }) => openConnections === 0)
    expect(relay.accepted).toEqual([])
  })

  test.each<{ rule: string; body: SmtpStep; expected: object }>([
    {
      rule: 'a 5yz in the body refuses',
      body: reply('552 5.3.4 too big'),
      expected: { refused: [{ target: 'ann@example.com', reply: '552 5.3.4 too big' }] },
    },
    {
      rule: 'a 4yz in the body defers',
      body: reply('451 4.3.0 no'),
      expected: { deferred: [{ target: 'ann@example.com', reply: '451 4.3.0 no' }] },
    },
    {
      rule: 'a connection closed in the body settles no target',
      body: hangUp,
      expected: { refused: [], deferred: [], unavailable: false },
    },
    {
      rule: 'a 2yz in the body is not believed',
      body: reply('250 2.0.0 ok'),
      expected: { refused: [], deferred: [] },
    },
  ])('$rule', async ({ body, expected }) => {
    await using relay = await ScriptedSmtpServer.start({ ehlo, body, stopsReading: true })
    await using sink = sinkOf(relay)
    // More than the kernel takes, so that the relay speaks while the body is still under way.
    const text = 'x'.repeat(70).concat('\n').repeat(120_000)

    const attempt = await failed(sink, attemptOf({ text }))

    expect(attempt).toMatchObject({ reached: true, ...expected })
    expect(relay.accepted).toEqual([])
  })
})

test('a relay that stops reading the body is given up in time, and the dot is never asked for', async () => {
  const clock = new ManualClock()
  await using relay = await ScriptedSmtpServer.start({ stopsReading: true })
  await using sink = sinkOf(relay, { clock })
  const text = 'x'.repeat(70).concat('\n').repeat(120_000)

  const attempt = sink.prepare(attemptOf({ text }), noSignal)
  await relay.until(({ sessions }) => (sessions[0]?.wireBody ?? '') !== '')
  clock.advance(25_000)

  expect(await attempt).toMatchObject({
    kind: 'failed',
    reply: 'the relay took the body too slowly',
  })
})

test('a 250 that comes together with the reply to DATA is not the one to the dot', async () => {
  await using relay = await ScriptedSmtpServer.start({
    data: { say: '354 go ahead\r\n250 2.0.0 queued\r\n', hangUp: false },
  })
  await using sink = sinkOf(relay)

  const attempt = await sink.prepare(attemptOf(), noSignal)
  const outcome = attempt.kind === 'prepared' ? await attempt.perform(() => true) : attempt

  expect(outcome.kind).toBe('failed')
  await relay.until(({ openConnections }) => openConnections === 0)
  expect(relay.accepted).toEqual([])
})

test('a check that throws is a no', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const attempt = await prepared(sink)

  const outcome = await attempt.perform(() => {
    throw new Error('the clock is broken')
  })

  expect(outcome).toEqual({ kind: 'abandoned', reply: 'not performed: the clock is broken' })
})

test('a second perform tells the same and writes no second dot', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const attempt = await prepared(sink)

  const first = await attempt.perform(() => true)
  attempt.abandon()
  const second = await attempt.perform(() => true)

  expect(second).toEqual(first)
  expect(relay.commands.filter(command => command === '.')).toHaveLength(1)
})

test('closing the sink leaves a dotted mail in doubt and a held one unsent', async () => {
  await using relay = await ScriptedSmtpServer.start({ dot: silence })
  const sink = sinkOf(relay)
  const held = await prepared(sink, attemptOf({ requestId: 'r-1' }))
  const dotted = await prepared(sink, attemptOf({ requestId: 'r-2' }))
  const outcome = dotted.perform(() => true)
  await relay.until(({ commands }) => commands.includes('.'))

  await sink.close()

  expect(await outcome).toMatchObject({ kind: 'unknown' })
  expect(await held.lost).toBe('the sink was closed')
  expect(await failed(sink)).toMatchObject({ reached: false, reply: 'the sink is closed' })
})
