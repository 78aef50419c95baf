import { once } from 'node:events'
import { createAPI, type Connection, Writer } from '@platformatic/kafka'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { classify, errorNamesOf } from '../../src/kafka/classify.ts'
import { type KafkaOptions, resolveKafkaOptions } from '../../src/kafka/options.ts'
import { WireConnection } from '../../src/kafka/wire-connection.ts'
import { silentLogger } from '../../src/log.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { testCertificate, testPrivateKey } from '../support/smtp/test-certificate.ts'
import { answerTo, FrameServer, type ReceivedRequest } from './frame-server.ts'

const requestTimeoutMs = 1000
const headerBytes = 4 * 2 + 2 + 'test'.length + 1

/** Says some bytes and hears some. */
const say = createAPI<[Uint8Array], string>(
  0,
  0,
  (bytes: Buffer) => Writer.create().append(bytes),
  (_id, _key, _version, reader) => reader.buffer.toString('latin1', reader.position),
)

async function connect(
  onRequest: (request: ReceivedRequest) => void,
  options: Partial<KafkaOptions> = {},
  serverTls?: Parameters<typeof FrameServer.start>[1],
) {
  const server = await FrameServer.start(onRequest, serverTls)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const clock = new ManualClock()
  const { host, port } = server.address
  const resolved = resolveKafkaOptions({
    bootstrapBrokers: [`${host}:${port}`],
    clientId: 'test',
    clock,
    log: silentLogger,
    ...options,
  })
  const wire = await WireConnection.open(server.address, resolved, requestTimeoutMs)
  onTestFinished(() => wire.destroy())
  const connection = wire as unknown as Connection
  // The very bytes of a buffer, not a copy: some tests write into them.
  const ask = (said: string | Buffer): Promise<string> =>
    say.async(connection, typeof said === 'string' ? Buffer.from(said) : said)
  return { clock, wire, ask }
}

const saidBy = ({ bytes }: ReceivedRequest): Buffer => bytes.subarray(headerBytes)
const tls = { ca: testCertificate, servername: 'localhost' }

describe.each([
  { how: 'in clear', client: {}, server: undefined },
  {
    how: 'over TLS',
    client: { tls: { ...tls, checkServerIdentity: () => undefined } },
    server: { cert: testCertificate, key: testPrivateKey },
  },
])('$how', ({ client, server }) => {
  test.each([1, 100, 16 * 1024, 100_000, 3_000_000])(
    '%d bytes come to the broker, and back, as they are',
    async size => {
      const bytes = Buffer.alloc(size, 'some bytes')
      const { ask } = await connect(request => request.answer(saidBy(request)), client, server)

      expect(await ask(bytes)).toBe(bytes.toString('latin1'))
      expect(await ask('next')).toBe('next')
    },
  )
})

test('answers find their requests, cut anywhere and several in one piece', async () => {
  const heard: ReceivedRequest[] = []
  const { ask } = await connect(request => {
    heard.push(request)
    if (heard.length < 3) return
    const answers = heard.map(each => answerTo(each.correlationId, saidBy(each)))
    const all = Buffer.concat(answers.toReversed())
    for (const part of [all.subarray(0, 3), all.subarray(3, 30), all.subarray(30)])
      request.socket.write(part)
  })

  expect(await Promise.all(['one', 'two', 'three'].map(ask))).toEqual(['one', 'two', 'three'])
})

test('a request without an answer fails in time, and all that wait with it: what became of them is not known', async () => {
  const arrived = Promise.withResolvers<void>()
  const { clock, wire, ask } = await connect(() => arrived.resolve())
  const failures = [ask('one'), ask('two')].map(each => each.catch(classify))
  await arrived.promise

  clock.advance(requestTimeoutMs - 1)
  expect(wire.isOpen).toBe(true)
  clock.advance(1)

  expect(await Promise.all(failures)).toEqual(['lost', 'lost'])
  expect(wire.isOpen).toBe(false)
  await expect(ask('three').catch(classify)).resolves.toBe('lost')
})

test('nothing of a request is written after it has failed', async () => {
  const chunks: Buffer[] = []
  const { clock, ask } = await connect(request => {
    const { socket } = request
    // Takes no more until the request has failed.
    socket.removeAllListeners('data').pause()
    stalled.resolve(socket)
  })
  const stalled = Promise.withResolvers<ReceivedRequest['socket']>()
  void ask('first').catch(() => undefined)
  const socket = await stalled.promise
  const batch = Buffer.alloc(64 * 1024 * 1024, 'a')
  const failed = ask(batch).catch(classify)

  clock.advance(requestTimeoutMs)
  await failed
  batch.fill('b')
  socket.on('data', chunk => chunks.push(chunk)).resume()
  await once(socket, 'close')

  const received = Buffer.concat(chunks)
  expect(received.length).toBeLessThan(batch.length)
  expect(received.includes('a')).toBe(true)
  expect(received.includes('b')).toBe(false)
})

test('an answer that comes early waits until its request is written: its bytes are still needed', async () => {
  const stalled = Promise.withResolvers<ReceivedRequest['socket']>()
  const { ask } = await connect(({ socket, correlationId }) => {
    socket.removeAllListeners('data').pause()
    socket.write(answerTo(correlationId + 1, Buffer.from('early')))
    socket.write(answerTo(correlationId, Buffer.from('in time')))
    stalled.resolve(socket)
  })
  const batch = Buffer.alloc(64 * 1024 * 1024, 'a')
  const first = ask('first')
  const early = ask(batch).finally(() => batch.fill('b'))
  const socket = await stalled.promise
  // Whoever has this one has the other answer as well.
  await first

  let received = 0
  let changed = false
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    changed ||= chunk.includes('b')
  })
  socket.resume()

  expect(await early).toBe('early')
  await vi.waitUntil(() => received > batch.length / 2)
  expect(changed).toBe(false)
})

test('a broker that hangs up leaves no request waiting', async () => {
  const { wire, ask } = await connect(({ socket }) => socket.end())

  await expect(ask('anything').catch(classify)).resolves.toBe('lost')
  expect(wire.isOpen).toBe(false)
})

test('nor does one that ends and takes no more, although a request is still being written', async () => {
  const stalled = Promise.withResolvers<ReceivedRequest['socket']>()
  const { wire, ask } = await connect(({ socket }) => {
    socket.removeAllListeners('data').pause()
    stalled.resolve(socket)
  })
  const failures = ['first', Buffer.alloc(64 * 1024 * 1024)].map(each => ask(each).catch(classify))

  const socket = await stalled.promise
  socket.end()

  expect(await Promise.all(failures)).toEqual(['lost', 'lost'])
  expect(wire.isOpen).toBe(false)
})

test('an answer to nothing that was asked ends the connection', async () => {
  const { wire, ask } = await connect(({ socket, correlationId }) =>
    socket.write(answerTo(correlationId + 1, Buffer.from('x'))),
  )

  await expect(ask('anything').catch(classify)).resolves.toBe('lost')
  expect(wire.isOpen).toBe(false)
})

test('an answer that does not parse fails its request alone', async () => {
  const { wire, ask } = await connect(request => request.answer(saidBy(request)))
  const odd = createAPI<[], never>(
    1,
    0,
    () => Writer.create().appendInt8(1),
    () => {
      throw new RangeError('odd')
    },
  )

  await expect(odd.async(wire as unknown as Connection)).rejects.toThrow('odd')
  expect(await ask('still there')).toBe('still there')
})

test('what does not speak Kafka is no connection for long', async () => {
  const { wire, ask } = await connect(({ socket }) => socket.write('HTTP/1.1 400 Bad Request\r\n'))

  await expect(ask('anything').catch(classify)).resolves.toBe('lost')
  expect(wire.isOpen).toBe(false)
})

describe('a session of SASL', () => {
  const sasl = { mechanism: 'PLAIN', username: 'user', password: 'secret' } as const
  const [saslHandshake, saslAuthenticate] = [17, 36]
  const lifetimeMs = 10_000

  /** Hears what is asked for, and answers both parts of a handshake. */
  function broker(asked: number[], hold: (answer: () => void) => void = answer => answer()) {
    return (request: ReceivedRequest): void => {
      const { apiKey, correlationId, socket } = request
      asked.push(apiKey)
      if (apiKey === saslHandshake) {
        // Version 1 of it has no tags in its header.
        const answer = answerTo(correlationId, Buffer.alloc(2 + 4), Buffer.alloc(0))
        hold(() => socket.write(answer))
      } else if (apiKey === saslAuthenticate) {
        const answer = Buffer.alloc(2 + 1 + 1 + 8 + 1)
        answer.writeUInt8(1, 3)
        answer.writeBigInt64BE(BigInt(lifetimeMs), 4)
        request.answer(answer)
      } else request.answer(saidBy(request))
    }
  }

  test('is opened before anything is asked', async () => {
    const asked: number[] = []
    const { ask } = await connect(broker(asked), { sasl })

    await ask('hello')

    expect(asked).toEqual([saslHandshake, saslAuthenticate, 0])
  })

  test('is renewed after four fifths of its life, and again; what is asked meanwhile waits', async () => {
    const asked: number[] = []
    const held: (() => void)[] = []
    let holding = false
    const hold = (answer: () => void): unknown => (holding ? held.push(answer) : answer())
    const { clock, ask } = await connect(broker(asked, hold), { sasl })
    asked.length = 0
    holding = true

    for (let renewal = 0; renewal < 2; renewal += 1) {
      clock.advance(lifetimeMs * 0.8)
      const said = ask('waits')
      await vi.waitUntil(() => held.length > 0)
      expect(asked.splice(0)).toEqual([saslHandshake])
      held.pop()!()
      expect(await said).toBe('waits')
      expect(asked.splice(0)).toEqual([saslAuthenticate, 0])
    }
  })

  test('that is refused is no connection', async () => {
    const refused = connect(
      ({ socket, correlationId }) => {
        const answer = answerTo(correlationId, Buffer.from('002100000000', 'hex'), Buffer.alloc(0))
        socket.write(answer)
      },
      { sasl },
    )

    await expect(refused.catch(errorNamesOf)).resolves.toEqual(['UNSUPPORTED_SASL_MECHANISM'])
  })
})
