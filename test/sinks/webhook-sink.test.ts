import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { ScriptedReceiver, type ReceiverScript } from '../support/webhooks/scripted-receiver.ts'
import { testCertificate } from '../support/smtp/test-certificate.ts'
import { attemptAt, failed, key, prepared, sinkTo } from './webhook-fixture.ts'

const yes = (): boolean => true

test('a receiver sees nothing of the request before it is performed, and all of it then', async () => {
  await using receiver = await ScriptedReceiver.start()
  await using sink = sinkTo()

  const attempt = await prepared(sink, attemptAt(receiver.url))
  await receiver.until(({ connections }) => connections === 1)
  const before = receiver.bytes
  const outcome = await attempt.perform(yes)

  expect(before).toBe(0)
  expect(outcome).toEqual({ kind: 'done', reply: 'HTTP 204' })
  expect(receiver.requests).toEqual([
    {
      line: 'POST /hooks?of=mail HTTP/1.1',
      headers: expect.objectContaining({
        host: `127.0.0.1:${receiver.port}`,
        'content-type': 'application/json',
        'content-length': '21',
        'webhook-id': 'event-1',
      }),
      body: '{"type":"email.sent"}',
    },
  ])
  expect(attempt).toMatchObject({ messageId: 'event-1', relay: `127.0.0.1:${receiver.port}` })
})

test('while keys rotate, receivers with either key verify it', async () => {
  await using receiver = await ScriptedReceiver.start()
  const next = Buffer.from('the key that comes after the first')
  await using sink = sinkTo({ keys: [next, key] })
  const body = JSON.stringify({ type: 'email.sent', data: { subject: 'Grüße' } })

  await (await prepared(sink, attemptAt(receiver.url, body))).perform(yes)

  const [{ headers, body: received } = expect.fail('nothing came')] = receiver.requests
  for (const each of [next, key])
    expect(new Webhook(each.toString('base64')).verify(received, headers)).toEqual(JSON.parse(body))
  expect(() => new Webhook(Buffer.from('x').toString('base64')).verify(received, headers)).toThrow()
})

test('every try has the time and the signature of its own, and the id and the bytes of all', async () => {
  await using receiver = await ScriptedReceiver.start()
  const clock = new ManualClock()
  await using sink = sinkTo({ clock })

  await (await prepared(sink, attemptAt(receiver.url))).perform(yes)
  clock.advance(60_000)
  const second = await prepared(sink, attemptAt(receiver.url))
  await second.perform(yes)

  const [a, b] = receiver.requests
  expect(b?.body).toBe(a?.body)
  expect(b?.headers['webhook-id']).toBe(a?.headers['webhook-id'])
  expect(Number(b?.headers['webhook-timestamp'])).toBe(Number(a?.headers['webhook-timestamp']) + 60)
})

test.each([
  { how: 'abandoned', late: false },
  { how: 'performed too late', late: true },
])('an attempt that is $how sends nothing', async ({ late }) => {
  await using receiver = await ScriptedReceiver.start()
  await using sink = sinkTo()
  const attempt = await prepared(sink, attemptAt(receiver.url))

  const outcome = late ? (await attempt.perform(() => false)).kind : attempt.abandon()
  await receiver.until(
    ({ connections, openConnections }) => connections === 1 && openConnections === 0,
  )

  expect(outcome).toBe(late ? 'abandoned' : undefined)
  expect(receiver.bytes).toBe(0)
})

const answer = (status: string): string =>
  `HTTP/1.1 ${status}\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n`

test.each([
  ['200 OK', 'done'],
  ['202 Accepted', 'done'],
  ['204 No Content', 'done'],
  ['301 Moved Permanently', 'deferred'],
  ['307 Temporary Redirect', 'deferred'],
  ['400 Bad Request', 'deferred'],
  ['401 Unauthorized', 'deferred'],
  ['404 Not Found', 'deferred'],
  ['410 Gone', 'refused'],
  ['429 Too Many Requests', 'deferred'],
  ['500 Internal Server Error', 'deferred'],
  ['503 Service Unavailable', 'deferred'],
])('%s is %s', async (status, kind) => {
  await using receiver = await ScriptedReceiver.start({ onRequest: answer(status) })
  await using sink = sinkTo()

  const outcome = await (await prepared(sink, attemptAt(receiver.url))).perform(yes)

  expect(outcome).toMatchObject({ kind, reply: expect.stringContaining(status.slice(0, 3)) })
  expect(receiver.connections).toBe(1)
})

test.each([
  { status: '429 Too Many Requests', delayMs: 90_000 },
  { status: '503 Service Unavailable', delayMs: 90_000 },
  { status: '500 Internal Server Error', delayMs: undefined },
])('$status may ask to wait: $delayMs ms', async ({ status, delayMs }) => {
  const onRequest = `HTTP/1.1 ${status}\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n`
  await using receiver = await ScriptedReceiver.start({ onRequest })
  await using sink = sinkTo()

  const outcome = await (await prepared(sink, attemptAt(receiver.url))).perform(yes)

  expect(outcome).toHaveProperty('kind', 'deferred')
  expect({ retryAfterMs: undefined, ...outcome }).toHaveProperty('retryAfterMs', delayMs)
})

test.each([
  { status: '429 Too Many Requests', asks: 'certain' },
  { status: '503 Service Unavailable', asks: 'likely' },
  { status: '500 Internal Server Error', asks: undefined },
  { status: '204 No Content', asks: undefined },
])('$status asks for less: $asks', async ({ status, asks }) => {
  await using receiver = await ScriptedReceiver.start({ onRequest: answer(status) })
  await using sink = sinkTo()

  const outcome = await (await prepared(sink, attemptAt(receiver.url))).perform(yes)

  expect({ asksForLess: undefined, ...outcome }).toHaveProperty('asksForLess', asks)
})

const endless = 'x'.repeat(1024)

/** Writes for ever, as fast as it is read. */
function flood(head: string, piece: string): NonNullable<ReceiverScript['onRequest']> {
  return socket => {
    socket.write(head)
    const go = (): void => {
      while (!socket.destroyed && socket.write(piece));
    }
    socket.on('drain', go)
    go()
  }
}

test.each<{ who: string; script: ReceiverScript; kind: string; reply: RegExp }>([
  {
    who: 'closes at once',
    script: { onConnect: socket => socket.destroy() },
    kind: 'deferred',
    reply: /socket|closed|ECONNRESET/,
  },
  {
    who: 'closes instead of answering',
    script: { onRequest: socket => socket.destroy() },
    kind: 'deferred',
    reply: /socket hang up|ECONNRESET|closed/,
  },
  {
    who: 'talks SMTP',
    script: { onRequest: '220 mail.example.org ESMTP\r\n' },
    kind: 'deferred',
    reply: /Parse Error/,
  },
  {
    who: 'sends headers without end',
    script: { onRequest: flood('HTTP/1.1 200 OK\r\n', `x-${endless}: ${endless}\r\n`) },
    kind: 'deferred',
    reply: /Header overflow/i,
  },
  {
    who: 'sends 1xx answers without end and then hangs up',
    script: {
      onRequest: socket => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(500))
        socket.end()
      },
    },
    kind: 'deferred',
    reply: /socket hang up|closed/,
  },
  {
    who: 'sends a body without end',
    script: { onRequest: flood('HTTP/1.1 200 OK\r\n\r\n', endless) },
    kind: 'done',
    reply: /^HTTP 200$/,
  },
])('a receiver that $who costs one try and no connection', async ({ script, kind, reply }) => {
  await using receiver = await ScriptedReceiver.start(script)
  // No time passes: what ends here ends by what the receiver did.
  await using sink = sinkTo({ clock: new ManualClock() })

  const result = await sink.prepare(attemptAt(receiver.url), new AbortController().signal)
  const outcome =
    result.kind === 'prepared'
      ? await result.perform(yes)
      : { kind: result.deferred.length > 0 ? 'deferred' : 'refused', reply: result.reply }
  await receiver.until(({ openConnections }) => openConnections === 0)

  expect(outcome.kind).toBe(kind)
  expect(outcome.reply).toMatch(reply)
})

test.each([
  { who: 'says nothing', onRequest: () => undefined },
  {
    who: 'dribbles its headers',
    onRequest: (socket: { write(text: string): unknown }) => void socket.write('HTTP/1.1 200 O'),
  },
])('a receiver that $who for 15 s has not answered', async ({ onRequest }) => {
  await using receiver = await ScriptedReceiver.start({ onRequest })
  const clock = new ManualClock()
  await using sink = sinkTo({ clock })
  const attempt = await prepared(sink, attemptAt(receiver.url))

  const outcome = attempt.perform(yes)
  await receiver.until(({ requests }) => requests.length === 1)
  clock.advance(14_999)
  const openBefore = receiver.openConnections
  clock.advance(1)

  expect(await outcome).toEqual({ kind: 'deferred', reply: 'no answer within 15 s' })
  expect(openBefore).toBe(1)
  await receiver.until(({ openConnections }) => openConnections === 0)
})

test('over TLS the certificate is checked', async () => {
  await using receiver = await ScriptedReceiver.start({}, { secure: true })
  await using strict = sinkTo()
  await using trusting = sinkTo({ tls: { ca: testCertificate } })

  const refused = await failed(strict, attemptAt(receiver.url))
  const outcome = await (await prepared(trusting, attemptAt(receiver.url))).perform(yes)

  expect(refused).toMatchObject({ reached: false, deferred: [{ reply: /self-signed/ }] })
  expect(outcome.kind).toBe('done')
  expect(receiver.requests).toHaveLength(1)
})

test('a receiver that does not finish its TLS handshake has not answered', async () => {
  await using receiver = await ScriptedReceiver.start()
  const clock = new ManualClock()
  await using sink = sinkTo({ clock })

  const result = failed(sink, attemptAt(receiver.url.replace('http:', 'https:')))
  await receiver.until(({ bytes }) => bytes > 0)
  clock.advance(15_000)

  expect(await result).toMatchObject({
    deferred: [{ target: 'target', reply: 'no connection within 15 s' }],
  })
  await receiver.until(({ openConnections }) => openConnections === 0)
})

test('nobody listens: not now', async () => {
  await using sink = sinkTo()

  const result = await failed(sink, attemptAt('http://127.0.0.1:1/'))

  expect(result).toMatchObject({
    unavailable: false,
    refused: [],
    deferred: [{ reply: /ECONNREFUSED/ }],
  })
})

test('without a key nothing is sent', async () => {
  await using receiver = await ScriptedReceiver.start()
  await using sink = sinkTo({ keys: [] })

  const result = await failed(sink, attemptAt(receiver.url))

  expect(result.refused).toEqual([{ target: 'target', reply: 'no key for webhooks is configured' }])
  expect(receiver.connections).toBe(0)
})

test('what is stopped while it connects or waits lets go of its connection', async () => {
  await using receiver = await ScriptedReceiver.start({ onRequest: () => undefined })
  const sink = sinkTo()
  const stop = new AbortController()

  const attempt = await prepared(sink, attemptAt(receiver.url))
  const outcome = attempt.perform(yes)
  await receiver.until(({ requests }) => requests.length === 1)
  const connecting = sink.prepare(attemptAt(receiver.url.replace('http:', 'https:')), stop.signal)
  await receiver.until(({ connections }) => connections === 2)
  stop.abort()
  const stopped = await connecting
  await sink.close()

  expect(stopped).toMatchObject({ kind: 'failed', reached: false, refused: [], deferred: [] })
  expect((await outcome).kind).toBe('deferred')
  await receiver.until(({ openConnections }) => openConnections === 0)
})
