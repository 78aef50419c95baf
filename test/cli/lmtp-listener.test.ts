import { connect } from 'node:net'
import { beforeEach, expect, test } from 'vitest'
import { type LmtpListener, startLmtpListener } from '../../src/cli/lmtp-listener.ts'
import { StreamsError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { bounceMessage } from '../support/bounce-message.ts'
import { handIn } from '../support/hand-in.ts'

let taken: Buffer[]
let publish: (message: Buffer) => Promise<void>

beforeEach(() => {
  taken = []
  publish = message => Promise.resolve(void taken.push(message))
})

const start = (bytesMax = 10_000): Promise<LmtpListener> =>
  startLmtpListener({
    listen: { host: '127.0.0.1', port: 0 },
    publish: message => publish(message),
    log: silentLogger,
    bytesMax,
  })

const portOf = ({ address }: LmtpListener): number => Number(address.split(':').at(-1))

test('a message is taken as it came, and answered once it is committed', async () => {
  await using listener = await start()
  const committed = Promise.withResolvers<void>()
  const message = Buffer.from(bounceMessage().toString().replace('I am sorry', '.I am sorry'))
  publish = async given => {
    taken.push(given)
    await committed.promise
  }
  let answered = ''

  const handed = handIn(listener, message).then(text => (answered = text))
  await expect.poll(() => taken.length).toBe(1)
  const early = answered
  committed.resolve()
  await handed

  expect(early).toBe('')
  expect(answered).toMatch(/^250 2\.0\.0 taken/)
  expect(taken[0]?.toString()).toBe(message.toString())
})

test('one that cannot be committed is to come again', async () => {
  await using listener = await start()
  publish = () => Promise.reject(new StreamsError('BROKER_UNAVAILABLE', 'no broker'))

  expect(await handIn(listener, bounceMessage())).toMatch(/451 4\.3\.0 .*cannot be taken just now/)
})

test('one that no topic takes is refused for good', async () => {
  await using listener = await start()
  publish = () => Promise.reject(new StreamsError('RECORD_TOO_LARGE', 'too large'))

  expect(await handIn(listener, bounceMessage())).toMatch(/552 5\.3\.4/)
})

test('one that is larger than allowed is refused, and not kept', async () => {
  await using listener = await start(5000)
  const large = Buffer.concat([
    bounceMessage(),
    Buffer.from('x'.repeat(70).concat('\r\n').repeat(100)),
  ])

  expect(await handIn(listener, large)).toMatch(/552/)
  expect(taken).toEqual([])
})

test('somebody who breaks off in the middle hands nothing in, and harms nobody', async () => {
  await using listener = await start()
  const lines = ['LHLO x', 'MAIL FROM:<>', 'RCPT TO:<b@example.com>', 'DATA', 'Subject: half']
  await new Promise<void>(resolve => {
    const socket = connect(portOf(listener), '127.0.0.1')
    socket.on('data', () => {
      const line = lines.shift()
      if (line !== undefined) socket.write(`${line}\r\n`)
      if (lines.length === 0) socket.destroy()
    })
    socket.on('close', () => resolve())
  })

  expect(await handIn(listener, bounceMessage())).toMatch(/^250/)
  expect(taken).toHaveLength(1)
})

test('an address that is taken is named', async () => {
  await using first = await start()
  const listen = { host: '127.0.0.1', port: portOf(first) }

  await expect(startLmtpListener({ listen, publish, log: silentLogger })).rejects.toMatchObject({
    code: 'LMTP_ADDRESS_UNUSABLE',
    message: expect.stringContaining('--lmtp HOST:PORT') as unknown,
  })
})
