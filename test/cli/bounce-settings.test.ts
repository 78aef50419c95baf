import { expect, test } from 'vitest'
import { bounceSettings } from '../../src/cli/bounce-settings.ts'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { mailRequest } from '../sinks/mail-fixture.ts'

const key = 'a key that nobody guesses'

async function settingsOf(environment: Readonly<Record<string, string>>) {
  const { values } = await resolveConfiguration(new Map(), environment)
  return bounceSettings(values)
}

test('with a key mails are named, and reports about them are recognised and suppress who is gone', async () => {
  const { envelopeIdOf, bounces } = await settingsOf({ MAILONCE_BOUNCES_KEY: key })

  const id = envelopeIdOf(mailRequest()) ?? ''
  expect(bounces?.envelopeIds.read(id)).toEqual({ source: 'shop', requestId: 'r-1' })
  expect(bounces).toMatchObject({ suppress: 'hard', byMessageId: false })
})

test('reports may suppress nobody, and be recognised by the Message-ID', async () => {
  const { bounces } = await settingsOf({
    MAILONCE_BOUNCES_KEY: key,
    MAILONCE_BOUNCES_SUPPRESS: 'none',
    MAILONCE_BOUNCES_BY_MESSAGE_ID: 'true',
  })

  expect(bounces).toMatchObject({ suppress: 'none', byMessageId: true })
})

test('without DSN no mail is named; reports about those that were are recognised', async () => {
  const { envelopeIdOf, bounces } = await settingsOf({
    MAILONCE_BOUNCES_KEY: key,
    MAILONCE_SMTP_DSN: 'off',
  })

  expect(envelopeIdOf(mailRequest())).toBeNull()
  expect(bounces).toBeDefined()
})

test('without a key nothing is named and nothing is recognised', async () => {
  const { envelopeIdOf, bounces } = await settingsOf({})

  expect(envelopeIdOf(mailRequest())).toBeNull()
  expect(bounces).toBeUndefined()
})

test.each([
  { what: 'a short key', environment: { MAILONCE_BOUNCES_KEY: 'short' }, says: /5 characters/ },
  {
    what: 'LMTP without a key',
    environment: { MAILONCE_LMTP: '127.0.0.1:2424' },
    says: /bounces.key is not given/,
  },
  {
    what: 'a key file that is not there',
    environment: { MAILONCE_BOUNCES_KEY_FILE: '/nowhere/key' },
    says: /bounces.key-file: cannot be read/,
  },
])('$what is refused', async ({ environment, says }) => {
  await expect(settingsOf(environment)).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringMatching(says) as unknown,
  })
})
