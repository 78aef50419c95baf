import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { ScriptedReceiver } from '../support/webhooks/scripted-receiver.ts'
import { testCertificate } from '../support/smtp/test-certificate.ts'
import { attemptAt, failed, prepared, sinkTo } from './webhook-fixture.ts'

test.each([
  'http://127.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://0x7f000001:PORT/',
  'http://2130706433:PORT/',
  'http://0:PORT/',
  'http://[::1]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://169.254.169.254/latest/meta-data',
])('%s leads to no public address: nobody is connected to', async text => {
  await using receiver = await ScriptedReceiver.start()
  await using sink = sinkTo({ allowPrivate: [] })

  const result = await failed(sink, attemptAt(text.replace('PORT', String(receiver.port))))

  expect(result).toMatchObject({ reached: false, deferred: [] })
  expect(result.refused).toEqual([
    { target: 'target', reply: expect.stringContaining('private and local addresses') },
  ])
  expect(receiver.connections).toBe(0)
})

test.each([
  { url: 'http://hooks.example.org/', reason: 'http:// is not allowed' },
  { url: 'ftp://hooks.example.org/', reason: 'it is no https:// URL' },
  { url: 'file:///etc/passwd', reason: 'it is no' },
  { url: 'javascript:alert(1)', reason: 'it is no' },
  { url: 'https://user:secret@hooks.example.org/', reason: 'a user or a password' },
  { url: 'hooks.example.org', reason: 'it is no URL' },
  { url: '', reason: 'it is no URL' },
  { url: `https://hooks.example.org/${'x'.repeat(2048)}`, reason: 'more than 2048 characters' },
])('$url is refused before anything is looked up', async ({ url, reason }) => {
  await using sink = sinkTo({
    allowHttp: false,
    resolve: () => expect.fail('a name was looked up'),
  })

  const result = await failed(sink, attemptAt(url))

  expect(result.refused[0]?.reply).toContain(reason)
  expect(result.reply).not.toContain('secret')
})

test('a name is resolved once, and what was looked at is what is connected to', async () => {
  await using receiver = await ScriptedReceiver.start()
  const asked: string[] = []
  // Rebinding: the second answer would lead elsewhere.
  await using sink = sinkTo({
    allowPrivate: ['127.0.0.1/32'],
    resolve: async host => (asked.push(host) === 1 ? ['127.0.0.1'] : ['127.0.0.2']),
  })

  const url = receiver.url.replace('127.0.0.1', 'receiver.test')
  const outcome = await (await prepared(sink, attemptAt(url))).perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(asked).toEqual(['receiver.test'])
  expect(receiver.requests[0]?.headers['host']).toBe(`receiver.test:${receiver.port}`)
})

test('of the addresses of a name only the allowed ones are tried, one after the other', async () => {
  await using receiver = await ScriptedReceiver.start()
  await using forbidden = await ScriptedReceiver.start()
  const addresses = ['127.0.0.9', '127.0.0.2', '127.0.0.1']
  await using sink = sinkTo({
    allowPrivate: ['127.0.0.1/32', '127.0.0.2/32'],
    resolve: async () => addresses,
  })

  const url = receiver.url.replace('127.0.0.1', 'receiver.test')
  const outcome = await (await prepared(sink, attemptAt(url))).perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(forbidden.connections).toBe(0)
})

test('a name without an address, and a resolver that fails, are tried again', async () => {
  await using empty = sinkTo({ resolve: async () => [] })
  await using broken = sinkTo({ resolve: () => Promise.reject(new Error('EAI_AGAIN')) })

  const results = await Promise.all(
    [empty, broken].map(sink => failed(sink, attemptAt('http://receiver.test/'))),
  )

  expect(results.map(({ deferred }) => deferred[0]?.reply)).toEqual([
    'receiver.test has no address',
    'EAI_AGAIN',
  ])
})

test('the certificate is that of the name in the URL, not of the address', async () => {
  const serverNames: unknown[] = []
  const onConnect = (socket: Socket): void => {
    serverNames.push((socket as TLSSocket).servername)
  }
  await using receiver = await ScriptedReceiver.start({ onConnect }, { secure: true })
  const tls = { ca: testCertificate }
  await using sink = sinkTo({ tls, resolve: async () => ['127.0.0.1'] })
  const at = (host: string): string => receiver.url.replace('127.0.0.1', host)

  const other = await failed(sink, attemptAt(at('receiver.test')))
  const outcome = await (await prepared(sink, attemptAt(at('localhost')))).perform(() => true)

  expect(other.deferred[0]?.reply).toMatch(/does not match certificate/)
  expect(serverNames.at(-1)).toBe('localhost')
  expect(outcome.kind).toBe('done')
})
