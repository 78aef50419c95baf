import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { expect, onTestFinished, test } from 'vitest'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { testCertificate, testPrivateKey } from '../support/smtp/test-certificate.ts'
import { attemptOf, prepared } from './mail-fixture.ts'

test.each([
  { how: 'over STARTTLS and with a password', disabledCommands: [], user: 'ann:secret@' },
  { how: 'in clear text', disabledCommands: ['STARTTLS', 'AUTH'], user: '' },
])('a relay that is not ours takes what is performed and nothing else, $how', async options => {
  const received: string[] = []
  const server = new SMTPServer({
    key: testPrivateKey,
    cert: testCertificate,
    disabledCommands: options.disabledCommands,
    onAuth: (auth, _session, done) =>
      auth.password === 'secret' ? done(null, { user: auth.username }) : done(new Error('no')),
    onData: (stream, _session, done) => {
      let message = ''
      stream.setEncoding('utf8')
      stream.on('data', (chunk: string) => (message += chunk))
      stream.on('end', () => done(null, String(received.push(message))))
    },
  })
  const listener = server.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve())))
  const { port } = listener.address() as AddressInfo
  const url = `smtp://${options.user}127.0.0.1:${port}`
  await using sink = new SmtpSink({ url, from: 'default@example.org' })

  const abandoned = await prepared(sink, attemptOf({ requestId: 'r-1' }))
  abandoned.abandon()
  const refused = await prepared(sink, attemptOf({ requestId: 'r-2' }))
  await refused.perform(() => false)
  const performed = await prepared(sink, attemptOf({ requestId: 'r-3', text: '.dot\n' }))
  const outcome = await performed.perform(() => true)

  expect(outcome.kind).toBe('done')
  expect(received).toEqual([expect.stringContaining(performed.messageId)])
  expect(received[0]).toContain('\r\n\r\n.dot\r\n')
})
