import { expect, test } from 'vitest'
import { idempotencyKey } from '../../src/sinks/idempotency.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { reply } from '../support/smtp/smtp-script.ts'
import { attemptOf, firstSeenMs, mailRequest, prepared, sinkOf } from './mail-fixture.ts'

const header = 'Resend-Idempotency-Key'
const idempotency = { header, ttlMs: 3_600_000 }

const keysIn = (relay: ScriptedSmtpServer): (string | undefined)[] =>
  relay.accepted.map(({ data }) => /^resend-idempotency-key: (\S+)\r\n/i.exec(data)?.[1])

test('the relay finds the key in the first line, and the rest is the mail that others get', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using plain = sinkOf(relay)
  await using sink = sinkOf(relay, { idempotency })

  const first = await prepared(plain)
  await first.perform(() => true)
  const second = await prepared(sink)
  await second.perform(() => true)

  const [without = '', withKey = ''] = relay.accepted.map(({ data }) => data)
  const key = idempotencyKey(mailRequest(), firstSeenMs, ['ann@example.com'])
  expect(withKey).toBe(`${header}: ${key}\r\n${without}`)
  expect(second.contentHash).toBe(first.contentHash)
  expect([first.repeatableForMs, second.repeatableForMs]).toEqual([undefined, 3_600_000])
})

test('SIZE counts the line', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { idempotency })

  const attempt = await prepared(sink)
  await attempt.perform(() => true)

  const size = relay.commands.find(each => each.startsWith('MAIL'))?.match(/SIZE=(\d+)/)?.[1]
  expect(Number(size)).toBe(relay.accepted[0]?.data.length)
})

test('the key names the recipients that the relay has accepted: a retry for the others has its own', async () => {
  await using relay = await ScriptedSmtpServer.start({
    rcpt: recipient => reply(recipient.includes('late') ? '450 later' : '250 ok'),
  })
  await using sink = sinkOf(relay, { idempotency })
  const both = { to: ['late@example.com', 'ann@example.com'] }

  const first = await prepared(sink, attemptOf(both))
  await first.perform(() => true)
  const repetition = await prepared(sink, attemptOf(both, ['ann@example.com']))
  await repetition.perform(() => true)

  const key = idempotencyKey(mailRequest(both), firstSeenMs, ['ann@example.com'])
  expect(keysIn(relay)).toEqual([key, key])
})

test('another request, another first time, other recipients: another key, of a length that all take', () => {
  const keys = [
    idempotencyKey(mailRequest(), 1, ['a@x', 'b@x']),
    idempotencyKey(mailRequest({ requestId: 'r-2' }), 1, ['a@x', 'b@x']),
    idempotencyKey(mailRequest({ source: 'crm' }), 1, ['a@x', 'b@x']),
    idempotencyKey(mailRequest(), 2, ['a@x', 'b@x']),
    idempotencyKey(mailRequest(), 1, ['a@x']),
  ]

  expect(new Set(keys).size).toBe(5)
  expect(idempotencyKey(mailRequest(), 1, ['b@x', 'a@x'])).toBe(keys[0])
  expect(keys.every(key => /^[a-z2-7]{52}$/.test(key))).toBe(true)
})

test('a key that the request brings along does not reach such a relay', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { idempotency })

  const attempt = await prepared(sink, attemptOf({ headers: { [header.toUpperCase()]: 'mine' } }))
  await attempt.perform(() => true)

  expect(relay.accepted[0]?.data.match(/idempotency-key/gi)).toHaveLength(1)
})

test.each(['From', 'Content-Type', 'X Y', 'X:Y', '', 'DKIM-Signature'])(
  'the header %j cannot carry keys',
  async name => {
    await using relay = await ScriptedSmtpServer.start()

    expect(() => sinkOf(relay, { idempotency: { header: name, ttlMs: 1 } })).toThrow(
      /cannot be the header of idempotency keys/,
    )
  },
)
