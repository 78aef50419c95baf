import { expect, test } from 'vitest'
import { resolveSmtpOptions } from '../../src/sinks/smtp-options.ts'
import { parseSmtpUrl } from '../../src/sinks/smtp-url.ts'

test.each([
  {
    url: 'smtp://relay.example',
    expected: {
      host: 'relay.example',
      port: 25,
      secure: false,
      credentials: null,
      name: 'relay.example:25',
    },
  },
  { url: 'smtps://relay.example', expected: { port: 465, secure: true } },
  {
    url: 'smtp://127.0.0.1:1025/',
    expected: { host: '127.0.0.1', port: 1025, name: '127.0.0.1:1025' },
  },
  { url: 'smtp://[::1]:1025', expected: { host: '::1', port: 1025, name: '[::1]:1025' } },
  {
    url: 'smtp://us%40er:p%3Aw@relay.example',
    expected: { credentials: { user: 'us@er', password: 'p:w' } },
  },
])('reads $url', ({ url, expected }) => {
  expect(parseSmtpUrl(url)).toMatchObject(expected)
})

test.each([
  '',
  'relay.example:25',
  'http://relay.example',
  'smtp://',
  'smtp://u:secret@relay.example/path',
  'smtp://u:secret@relay.example?x=1',
  'smtp://u:secret%@relay.example',
])('refuses %s without repeating it', url => {
  expect(() => parseSmtpUrl(url)).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
  )
  expect(() => parseSmtpUrl(url)).not.toThrow(/secret/)
})

test.each([
  { connectionsMax: 0 },
  { connectionsMax: 1.5 },
  { holdTimeoutMs: 0 },
  { from: 'nobody' },
])('refuses %o', change => {
  const options = { url: 'smtp://relay.example', from: 'a@example.org', ...change }

  expect(() => resolveSmtpOptions(options)).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
  )
})
