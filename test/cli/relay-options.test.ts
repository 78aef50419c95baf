import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { relayOfSmtp, relayOptions, relayShapes } from '../../src/cli/relay-options.ts'
import { object } from '../../src/cli/structure.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { failed, prepared } from '../sinks/mail-fixture.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { reply } from '../support/smtp/smtp-script.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-relay-'))
afterAll(() => rmSync(folder, { recursive: true }))

const hexPin = 'ab'.repeat(32)

for (const [name, text] of Object.entries({
  password: 'secret\n',
  token: 'ya29.x\n',
  'ca.pem': 'CA',
})) {
  writeFileSync(join(folder, name), text)
}

async function relayOf(yaml: string): ReturnType<typeof relayOptions> {
  const config = join(folder, 'mailonce.yaml')
  writeFileSync(config, `smtp: { ${yaml.replaceAll('FOLDER', folder)} }`)
  const { values } = await resolveConfiguration(new Map([['config', config]]), {})
  return relayOptions('smtp', relayOfSmtp(values))
}

test.each([
  {
    yaml: 'url: smtps://relay, username: "a@b", password: "p:/@#?%"',
    auth: { user: 'a@b', password: 'p:/@#?%' },
  },
  {
    yaml: 'url: "smtps://me@relay", password-file: FOLDER/password',
    auth: { password: 'secret' },
  },
  {
    yaml: 'url: smtps://relay, username: me, password: x, auth-mechanism: LOGIN',
    auth: { user: 'me', password: 'x', mechanism: 'LOGIN' },
  },
  {
    yaml: 'url: smtps://relay, username: me, token-file: FOLDER/token',
    auth: { user: 'me', tokenFile: join(folder, 'token') },
  },
])('the login of $yaml', async ({ yaml, auth }) => {
  expect((await relayOf(yaml)).auth).toEqual(auth)
})

test.each([
  { yaml: 'url: smtp://relay', tls: {} },
  { yaml: 'url: smtp://relay, tls: required', tls: { policy: 'required' } },
  {
    yaml: 'url: smtp://relay, tls: { policy: pinned, ca-file: FOLDER/ca.pem, server-name: mx.example }',
    tls: { policy: 'pinned', ca: 'CA', serverName: 'mx.example' },
  },
  {
    yaml: `url: smtp://relay, tls: { policy: pinned, pins: [${hexPin}, "${Buffer.from(hexPin, 'hex').toString('base64')}"] }`,
    tls: { policy: 'pinned', pins: [hexPin, hexPin] },
  },
])('the TLS of $yaml', async ({ yaml, tls }) => {
  expect((await relayOf(yaml)).tls).toEqual(tls)
})

test.each([
  { yaml: 'url: "smtps://me:x@relay", username: you', says: 'smtp: the user is given twice' },
  { yaml: 'url: "smtps://me:x@relay", password: y', says: 'smtp: the password is given twice' },
  { yaml: 'url: smtps://relay, password: y', says: 'smtp: there is a password' },
  { yaml: 'url: smtps://relay, username: me', says: 'smtp: there is no password' },
  {
    yaml: 'url: smtps://relay, username: me, password: x, token-file: FOLDER/token',
    says: 'smtp: there is a password and a token',
  },
  {
    yaml: 'url: smtps://relay, username: me, token-file: FOLDER/none',
    says: 'smtp.token-file: cannot be read',
  },
  {
    yaml: 'url: smtps://relay, username: me, password: x, auth-mechanism: XOAUTH2',
    says: 'smtp: XOAUTH2 needs a token file',
  },
  {
    yaml: 'url: smtps://relay, username: me, token-file: FOLDER/token, auth-mechanism: PLAIN',
    says: 'smtp: a token is for XOAUTH2',
  },
  { yaml: 'url: smtp://relay, tls: { ca-file: FOLDER/none }', says: 'smtp.tls.ca-file: cannot' },
  {
    yaml: 'url: smtp://relay, tls: { ca-file: FOLDER/ca.pem }',
    says: 'smtp.tls: no certificate is checked under the TLS policy opportunistic',
  },
  { yaml: 'url: smtps://relay, tls: none', says: 'smtp.tls: smtps:// is TLS from the first byte' },
  { yaml: 'url: smtp://relay, tls: pinned', says: 'smtp.tls: the TLS policy pinned needs a pin' },
  {
    yaml: `url: smtp://relay, tls: { policy: required, pins: ${hexPin} }`,
    says: 'smtp.tls: keys are pinned, but the TLS policy is required',
  },
  { yaml: 'url: smtp://relay, tls: { pins: abc }', says: 'smtp.tls.pins: "abc" is not a list' },
])('refuses $yaml', async ({ yaml, says }) => {
  await expect(relayOf(yaml)).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining(says),
  })
})

test('a relay in a section with several has the same keys', async () => {
  const read = object(relayShapes).read(
    {
      url: 'smtp://relay',
      username: 'me',
      'password-file': join(folder, 'password'),
      'insecure-auth': true,
      'recipients-max': 50,
      tls: { policy: 'pinned', pins: [hexPin] },
    },
    'relays.main',
  )

  expect(await relayOptions('relays.main', read)).toEqual({
    url: 'smtp://relay',
    auth: { user: 'me', password: 'secret' },
    tls: { policy: 'pinned', pins: [hexPin] },
    insecureAuth: true,
    recipientsMax: 50,
  })
})

test('what is configured is what the relay meets', async () => {
  await using relay = await ScriptedSmtpServer.start({
    ehlo: ['AUTH PLAIN LOGIN'],
    auth: reply('334 VXNlcm5hbWU6'),
    authResponse: line => reply(line === 'bWU=' ? '334 UGFzc3dvcmQ6' : '235 2.7.0 welcome'),
  })
  const login = 'username: me, password: x, auth-mechanism: LOGIN'
  const from = 'a@example.org'

  await using clear = new SmtpSink({ ...(await relayOf(`url: "${relay.url}", ${login}`)), from })
  await (await prepared(clear)).perform(() => true)
  const strict = await relayOf(`url: "${relay.url}", tls: required`)
  await using required = new SmtpSink({ ...strict, from })

  expect(relay.commands).toContain('AUTH LOGIN')
  expect((await failed(required)).reply).toContain('certificate')
})
