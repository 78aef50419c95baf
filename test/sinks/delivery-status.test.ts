import { expect, test } from 'vitest'
import type { SmtpSinkOptions } from '../../src/sinks/smtp-options.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, prepared, sinkOf } from './mail-fixture.ts'

const envelopeIdOf: SmtpSinkOptions['envelopeIdOf'] = ({ requestId }) => `id-of-${requestId}`
const toTwo = { to: ['ann@example.com', 'bob+1@example.com'] }

async function envelopeSaid(
  extensions: readonly string[],
  options: Partial<SmtpSinkOptions>,
  request: Parameters<typeof attemptOf>[0] = {},
): Promise<readonly string[]> {
  await using relay = await ScriptedSmtpServer.start({ ehlo: extensions })
  await using sink = sinkOf(relay, options)
  const attempt = await prepared(sink, attemptOf(request))
  attempt.abandon()
  return relay.sessions.flatMap(({ commands }) =>
    commands.filter(line => /^(MAIL|RCPT)/.test(line)),
  )
}

test.each(['PIPELINING', 'HELP'])(
  'a relay that offers DSN is told the envelope id, and each recipient by name, with %s',
  async extension => {
    const said = await envelopeSaid(['DSN', extension], { envelopeIdOf }, toTwo)

    expect(said).toEqual([
      'MAIL FROM:<sender@example.org> RET=HDRS ENVID=id-of-r-1',
      'RCPT TO:<ann@example.com> NOTIFY=FAILURE ORCPT=rfc822;ann@example.com',
      'RCPT TO:<bob+1@example.com> NOTIFY=FAILURE ORCPT=rfc822;bob+2B1@example.com',
    ])
  },
)

test('one that does not is told nothing of it', async () => {
  expect(await envelopeSaid(['PIPELINING'], { envelopeIdOf })).toEqual([
    'MAIL FROM:<sender@example.org>',
    'RCPT TO:<ann@example.com>',
  ])
})

test.each([
  { what: 'without a function', options: {} },
  { what: 'for a mail without a name', options: { envelopeIdOf: () => null } },
])('no envelope id is made up $what', async ({ options }) => {
  expect(await envelopeSaid(['DSN'], options)).toEqual([
    'MAIL FROM:<sender@example.org>',
    'RCPT TO:<ann@example.com>',
  ])
})

test('an address beyond ASCII is named by the final recipient alone', async () => {
  const said = await envelopeSaid(
    ['DSN', 'SMTPUTF8', '8BITMIME'],
    { envelopeIdOf },
    {
      to: ['jürgen@example.com'],
    },
  )

  expect(said.at(-1)).toBe('RCPT TO:<jürgen@example.com> NOTIFY=FAILURE')
})
