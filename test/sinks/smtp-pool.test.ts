import { expect, test } from 'vitest'
import { reply, replyAndHangUp, silence } from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import type { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { attemptOf, failed, noSignal, prepared, sinkOf } from './mail-fixture.ts'

async function mail(sink: SmtpSink, requestId = 'r-1'): Promise<string> {
  const attempt = await prepared(sink, attemptOf({ requestId }))
  return (await attempt.perform(() => true)).kind
}

test('opens no more connections than it may, and serves who waits in turn', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { connectionsMax: 2 })
  const requestIds = ['r-1', 'r-2', 'r-3']

  await Promise.all(requestIds.map(requestId => mail(sink, requestId)))

  expect(sink.concurrencyMax).toBe(2)
  expect(relay.sessions).toHaveLength(2)
  expect(relay.accepted).toHaveLength(3)
})

test('an attempt that was given up makes room for the next', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { connectionsMax: 1 })
  const first = await prepared(sink)
  const next = mail(sink, 'r-2')

  first.abandon()

  expect(await next).toBe('done')
})

test('says goodbye to a connection that has been idle', async () => {
  const clock = new ManualClock()
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { clock, idleTimeoutMs: 30_000 })
  await mail(sink)

  clock.advance(30_000)
  await relay.until(({ openConnections }) => openConnections === 0)

  expect(relay.commands.at(-1)).toBe('QUIT')
  expect(await mail(sink, 'r-2')).toBe('done')
})

test('a connection in use is not idle', async () => {
  const clock = new ManualClock()
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { clock, idleTimeoutMs: 1000 })
  await mail(sink)
  const attempt = await prepared(sink, attemptOf({ requestId: 'r-2' }))

  clock.advance(1000)

  expect(await attempt.perform(() => true)).toMatchObject({ kind: 'done' })
})

test('replaces a connection after its number of mails', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { mailsPerConnectionMax: 2 })

  for (const requestId of ['r-1', 'r-2', 'r-3']) await mail(sink, requestId)

  expect(relay.accepted.map(({ connection }) => connection)).toEqual([0, 0, 1])
})

test('forgets an idle connection that the relay has closed', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  await mail(sink)

  relay.sessions[0]?.do(replyAndHangUp('421 4.4.2 idle for too long'))
  await relay.until(({ openConnections }) => openConnections === 0)

  expect(await mail(sink, 'r-2')).toBe('done')
  expect(relay.accepted.map(({ connection }) => connection)).toEqual([0, 1])
})

test('takes a fresh connection when an idle one turns out to be closing, and the mail goes out once', async () => {
  await using relay = await ScriptedSmtpServer.start(connection => {
    let mails = 0
    const mailsMax = connection === 0 ? 1 : 100
    return {
      mail: () => {
        mails += 1
        return mails > mailsMax ? replyAndHangUp('421 4.7.0 too many mails') : reply('250 2.1.0 ok')
      },
    }
  })
  await using sink = sinkOf(relay)
  await mail(sink)

  expect(await mail(sink, 'r-2')).toBe('done')
  expect(relay.accepted.map(({ connection }) => connection)).toEqual([0, 1])
})

test('resets after a refused dot before the connection is used again', async () => {
  await using relay = await ScriptedSmtpServer.start({
    dot: message => reply(message.includes('spam') ? '554 5.7.1 spam' : '250 2.0.0 ok'),
  })
  await using sink = sinkOf(relay, { connectionsMax: 1 })
  const refused = await prepared(sink, attemptOf({ text: 'spam' }))

  await refused.perform(() => true)
  const next = await mail(sink, 'r-2')

  expect(next).toBe('done')
  expect(relay.commands).toContain('RSET')
  expect(relay.accepted.map(({ connection }) => connection)).toEqual([0])
})

test('a connection that does not answer RSET is not used again', async () => {
  const clock = new ManualClock()
  await using relay = await ScriptedSmtpServer.start(connection =>
    connection === 0 ? { mail: reply('550 5.1.8 no'), rset: silence } : {},
  )
  await using sink = sinkOf(relay, { clock, connectionsMax: 1 })
  await failed(sink)
  await relay.until(({ commands }) => commands.includes('RSET'))
  const next = mail(sink, 'r-2')

  clock.advance(60_000)

  expect(await next).toBe('done')
  expect(relay.accepted.map(({ connection }) => connection)).toEqual([1])
})

test('close says goodbye to idle connections and may be called twice', async () => {
  await using relay = await ScriptedSmtpServer.start()
  const sink = sinkOf(relay)
  await mail(sink)

  await sink.close()
  await sink.close()

  await relay.until(({ openConnections }) => openConnections === 0)
  expect(relay.commands.at(-1)).toBe('QUIT')
})

test('close ends the wait of those who have no connection yet', async () => {
  await using relay = await ScriptedSmtpServer.start()
  const sink = sinkOf(relay, { connectionsMax: 1 })
  await prepared(sink)
  const waiting = sink.prepare(attemptOf({ requestId: 'r-2' }), noSignal)
  const opening = sink.prepare(attemptOf({ requestId: 'r-3' }), noSignal)

  await sink.close()

  expect(await waiting).toMatchObject({ kind: 'failed', reached: false, unavailable: false })
  expect(await opening).toMatchObject({ kind: 'failed', reached: false, unavailable: false })
})

test('a connection on which RSET was answered twice is not used again', async () => {
  await using relay = await ScriptedSmtpServer.start(connection => ({
    dot: connection === 0 ? reply('554 5.7.1 spam') : reply('250 2.0.0 ok'),
    rset: reply('250 2.0.0 flushed', '250 2.0.0 flushed'),
  }))
  await using sink = sinkOf(relay, { connectionsMax: 1 })
  await mail(sink)

  expect(await mail(sink, 'r-2')).toBe('done')
  expect(relay.accepted.map(({ connection }) => connection)).toEqual([1])
})
