import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WebhookExchange } from '../../src/sinks/webhook-exchange.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { ok, ScriptedReceiver } from '../support/webhooks/scripted-receiver.ts'

const options = {
  method: 'POST',
  target: '/',
  headers: { host: 'receiver.test' },
  clock: new ManualClock(),
  answerTimeoutMs: 1000,
  responseBytesMax: 1000,
} as const

test('what is said before the request is no answer to it', async () => {
  await using receiver = await ScriptedReceiver.start({ onConnect: socket => socket.write(ok) })
  const socket = connect(receiver.port, '127.0.0.1')
  await once(socket, 'readable')

  const exchange = await WebhookExchange.open(socket, options)
  await setImmediate()
  const answer = await exchange.send({}, 'body')

  expect(answer).toEqual({ silence: 'it answered before it was asked' })
  expect(receiver.bytes).toBe(0)
})

test('the request has left when send returns', async () => {
  await using receiver = await ScriptedReceiver.start()
  const socket = connect(receiver.port, '127.0.0.1')
  await once(socket, 'connect')

  const exchange = await WebhookExchange.open(socket, options)
  const answer = exchange.send({}, 'body')
  const writtenBytes = socket.bytesWritten

  expect(writtenBytes).toBeGreaterThan('POST / HTTP/1.1'.length)
  expect(await answer).toEqual({ status: 204, retryAfter: undefined })
})

test('a request that cannot be made lets go of its connection', async () => {
  await using receiver = await ScriptedReceiver.start()
  const socket = connect(receiver.port, '127.0.0.1')
  await once(socket, 'connect')

  const exchange = WebhookExchange.open(socket, { ...options, target: '/no path' })

  await expect(exchange).rejects.toThrow(/unescaped/)
  expect(socket.destroyed).toBe(true)
  await receiver.until(({ connections, openConnections }) => connections - openConnections === 1)
})
