import { expect, test } from 'vitest'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, noSignal, prepared, sinkOf } from './mail-fixture.ts'

test('a prepared mail has reached the relay but for its final dot', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)

  const attempt = await prepared(sink, attemptOf({ text: 'body of the mail' }))

  await relay.until(({ sessions }) => sessions[0]?.wireBody.includes('body of the mail') === true)
  expect(attempt.accepted).toEqual(['ann@example.com'])
  expect(attempt.relay).toBe(`127.0.0.1:${relay.port}`)
  expect(relay.commands).not.toContain('.')
})

test('perform writes the dot and tells the reply', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const attempt = await prepared(sink)

  const outcome = await attempt.perform(() => true)

  expect(outcome).toEqual({ kind: 'done', reply: '250 2.0.0 queued' })
  expect(relay.accepted).toHaveLength(1)
  expect(relay.accepted[0]).toMatchObject({ from: 'sender@example.org', to: ['ann@example.com'] })
})

test('a mail that may not be performed any more is not accepted', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const attempt = await prepared(sink)

  const outcome = await attempt.perform(() => false)

  await relay.until(({ openConnections }) => openConnections === 0)
  expect(outcome).toMatchObject({ kind: 'abandoned' })
  expect(relay.accepted).toEqual([])
})

test('an abandoned mail is not accepted, and its connection is closed, not reset', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)
  const attempt = await prepared(sink)

  attempt.abandon()

  await relay.until(({ openConnections }) => openConnections === 0)
  expect(relay.accepted).toEqual([])
  expect(relay.sessions[0]?.wireBody).not.toContain('RSET')
  expect(await attempt.perform(() => true)).toMatchObject({ kind: 'abandoned' })
})

test('the next mail goes over the same connection', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)

  for (const requestId of ['r-1', 'r-2', 'r-3']) {
    const attempt = await prepared(sink, attemptOf({ requestId }))
    await attempt.perform(() => true)
  }

  expect(relay.accepted).toHaveLength(3)
  expect(relay.sessions).toHaveLength(1)
})

test('a try that is stopped while it waits for a connection says so', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { connectionsMax: 1 })
  await prepared(sink)
  const stop = new AbortController()

  const waiting = sink.prepare(attemptOf({ requestId: 'r-2' }), stop.signal)
  stop.abort()

  expect(await waiting).toMatchObject({ kind: 'failed', reached: false, unavailable: false })
  expect(
    await sink.prepare(attemptOf(), AbortSignal.any([noSignal, AbortSignal.abort()])),
  ).toMatchObject({
    reached: false,
  })
})
