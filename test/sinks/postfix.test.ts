import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { composeMail } from '../../src/sinks/compose-mail.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import type { SmtpSinkOptions } from '../../src/sinks/smtp-options.ts'
import type { TlsPolicy } from '../../src/sinks/smtp-tls.ts'
import { postfixLogin, type PostfixDoor } from '../support/postfix/configuration.ts'
import { Postfix, postfixMissing } from '../support/postfix/postfix.ts'
import { testCertificate } from '../support/smtp/test-certificate.ts'
import { attemptOf, failed, firstSeenMs, mailRequest, prepared } from './mail-fixture.ts'

const heldProcess = fileURLToPath(new URL('held-process.ts', import.meta.url))

describe.skipIf(postfixMissing !== null)(`Postfix (${postfixMissing ?? 'a real one'})`, () => {
  let postfix: Postfix
  beforeAll(async () => {
    postfix = await Postfix.start()
  })
  afterAll(async () => {
    await postfix[Symbol.asyncDispose]()
  })

  const from = 'default@example.org'
  const sinkTo = (door: PostfixDoor, change: Partial<SmtpSinkOptions> = {}): SmtpSink =>
    new SmtpSink({ url: postfix.url(door), from, ...change })

  test.each<{ door: PostfixDoor; how: string }>([
    { door: 'plain', how: 'in clear text' },
    { door: 'starttls', how: 'over STARTTLS' },
  ])('delivers what was composed, byte for byte, $how', async ({ door }) => {
    await using sink = sinkTo(door)
    const change = {
      requestId: `bytes-${door}`,
      subject: 'Grüße 🎉',
      text: '.\n..dots\nwörds\n'.concat('long '.repeat(3000)),
      html: '<p>ü</p>',
      attachments: [
        { filename: 'Übersicht.bin', contentType: 'application/x-bin', content: allBytes },
      ],
    }

    const attempt = await prepared(sink, attemptOf(change))
    const outcome = await attempt.perform(() => true)
    const [mail] = await postfix.delivered(attempt.messageId)

    const { bytes } = await composeMail(mailRequest(change), firstSeenMs, from)
    expect(outcome).toMatchObject({ kind: 'done', reply: expect.stringMatching(/^250 2\.0\.0 /) })
    expect(mail?.message).toBe(bytes.toString('latin1'))
  })

  test('learns of each recipient before the dot, and the others get the mail', async () => {
    await using sink = sinkTo('plain')
    const to = ['ann@example.com', 'refused@example.com', 'deferred@example.com']

    const attempt = await prepared(sink, attemptOf({ requestId: 'fates', to }))
    await attempt.perform(() => true)

    expect(attempt.accepted).toEqual(['ann@example.com'])
    expect(attempt.refused).toMatchObject([
      { target: 'refused@example.com', reply: expect.stringMatching(/^550 5\.1\.1 .*no such/) },
    ])
    expect(attempt.deferred).toMatchObject([
      { target: 'deferred@example.com', reply: expect.stringMatching(/^450 4\.2\.0 .*later/) },
    ])
    const mails = await postfix.delivered(attempt.messageId)
    expect(mails.map(({ recipient }) => recipient)).toEqual(['ann@example.com'])
  })

  test('more recipients than it takes at once get the same mail in several transactions, each once', async () => {
    const linesBefore = postfix.log.length
    await using sink = sinkTo('few')
    const to = Array.from({ length: 7 }, (_, index) => `person-${index}@example.com`)

    const parts: (readonly string[])[] = []
    let messageId = ''
    for (let left = to; left.length > 0; left = to.filter(each => !parts.flat().includes(each))) {
      const attempt = await prepared(sink, attemptOf({ requestId: 'parts', to }, left))
      expect(attempt).toMatchObject({ refused: [], deferred: [] })
      expect((await attempt.perform(() => true)).kind).toBe('done')
      parts.push(attempt.accepted)
      ;({ messageId } = attempt)
    }
    await postfix.untilLog(/: removed$/, { from: linesBefore, count: parts.length })

    const mails = await postfix.delivered(messageId)
    expect(parts.map(part => part.length)).toEqual([3, 3, 1])
    expect(mails.map(({ recipient }) => recipient).toSorted()).toEqual(to)
    expect(new Set(mails.map(({ message }) => message)).size).toBe(1)
  })

  test('an abandoned hold, a refused one and a killed one deliver nothing', async () => {
    const linesBefore = postfix.log.length
    const mailsBefore = (await postfix.mails()).length
    await using sink = sinkTo('plain')
    const abandoned = await prepared(sink, attemptOf({ requestId: 'abandoned' }))
    const late = await prepared(sink, attemptOf({ requestId: 'late' }))
    const child = spawn(process.execPath, [heldProcess, postfix.url('plain')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')

    abandoned.abandon()
    await late.perform(() => false)
    child.kill('SIGKILL')
    // After a dot it would be END-OF-MESSAGE.
    await postfix.untilLog(/lost connection after DATA/, { from: linesBefore, count: 3 })

    expect(postfix.log.slice(linesBefore).filter(line => takenLine.test(line))).toEqual([])
    expect(await postfix.mails()).toHaveLength(mailsBefore)
  })

  test('the next mail on the connection of a refused envelope goes out under the sender of its own', async () => {
    const linesBefore = postfix.log.length
    await using sink = sinkTo('plain', { connectionsMax: 1 })
    const refused = await failed(
      sink,
      attemptOf({ requestId: 'refused', from: 'first@example.org', to: ['refused@example.com'] }),
    )
    const unwelcome = await failed(
      sink,
      attemptOf({ requestId: 'unwelcome', from: 'unwelcome@example.org' }),
    )

    const second = await prepared(
      sink,
      attemptOf({ requestId: 'second', from: 'second@example.org' }),
    )
    await second.perform(() => true)
    await postfix.delivered(second.messageId)

    const taken = postfix.log.slice(linesBefore).filter(line => takenLine.test(line))
    expect(refused.refused).toMatchObject([{ reply: expect.stringMatching(/^550 5\.1\.1 /) }])
    expect(unwelcome.refused).toMatchObject([{ reply: expect.stringMatching(/^550 5\.7\.1 /) }])
    expect(taken.map(line => takenLine.exec(line)?.[1])).toEqual(['<second@example.org>'])
  })

  test.each<{ door: PostfixDoor; mechanism: 'PLAIN' | 'LOGIN'; policy: TlsPolicy }>([
    { door: 'auth', mechanism: 'PLAIN', policy: 'none' },
    { door: 'auth', mechanism: 'LOGIN', policy: 'none' },
    { door: 'auth-over-tls', mechanism: 'PLAIN', policy: 'required' },
    { door: 'auth-over-tls', mechanism: 'LOGIN', policy: 'required' },
  ])('logs in by $mechanism, TLS $policy', async ({ door, mechanism, policy }) => {
    const { user, realm, password } = postfixLogin
    const auth = { user: `${user}@${realm}`, password, mechanism }
    const tls = policy === 'required' ? { policy, ca: testCertificate } : { policy }
    await using sink = sinkTo(door, { auth, tls })
    const linesBefore = postfix.log.length

    const attempt = await prepared(sink, attemptOf({ requestId: `${door}-${mechanism}` }))
    await attempt.perform(() => true)
    await postfix.delivered(attempt.messageId)

    expect(postfix.log.slice(linesBefore).join('\n')).toContain(
      `sasl_method=${mechanism}, sasl_username=${user}@${realm}`,
    )
  })

  test('a wrong password is about the relay, not about the mail', async () => {
    const auth = { user: 'ann@postfix.test', password: 'wrong' }
    await using sink = sinkTo('auth-over-tls', { auth })

    const attempt = await failed(sink, attemptOf({ requestId: 'wrong-password' }))

    expect(attempt).toMatchObject({ unavailable: true, reached: false, refused: [], deferred: [] })
    expect(attempt.reply).toMatch(/^535 5\.7\.8 /)
  })

  test('where no TLS is offered, none of the policies that need it sends anything', async () => {
    const linesBefore = postfix.log.length
    for (const tls of [
      { policy: 'required' },
      { policy: 'pinned', ca: testCertificate },
    ] as const) {
      await using sink = sinkTo('plain', { tls })

      const attempt = await failed(sink, attemptOf({ requestId: `downgrade-${tls.policy}` }))

      expect(attempt).toMatchObject({ unavailable: true, reached: false })
      expect(attempt.reply).toMatch(/nothing is sent in clear text: 502 5\.5\.1 /)
    }
    expect(postfix.log.slice(linesBefore).filter(line => /client=|NOQUEUE/.test(line))).toEqual([])
  })

  test('a certificate that the CA does not know is refused in the handshake', async () => {
    await using sink = sinkTo('starttls', { tls: { policy: 'required' } })

    const attempt = await failed(sink, attemptOf({ requestId: 'unknown-ca' }))

    expect(attempt).toMatchObject({ unavailable: true, reached: false })
    expect(attempt.reply).toMatch(/certificate/)
  })

  test('a mail beyond the SIZE of Postfix is refused before MAIL, one below it is taken', async () => {
    await using sink = sinkTo('small')
    const large = 'word '.repeat(4000)

    const refused = await failed(sink, attemptOf({ requestId: 'large', text: large }))
    const taken = await prepared(sink, attemptOf({ requestId: 'fits', text: large.slice(0, 9000) }))
    const outcome = await taken.perform(() => true)

    expect(refused).toMatchObject({ reached: false, unavailable: false })
    expect(refused.refused).toMatchObject([{ reply: expect.stringMatching(/^552 5\.3\.4 /) }])
    expect(outcome.kind).toBe('done')
  })

  test('an international domain goes to a relay that knows ASCII alone, an international name to one that knows more', async () => {
    await using ascii = sinkTo('ascii')
    await using plain = sinkTo('plain')
    const domain = attemptOf({
      requestId: 'idn',
      from: 'shop@bücher.example',
      to: ['ann@bücher.example'],
    })
    const name = attemptOf({ requestId: 'eai', to: ['änn@bücher.example'] })

    const attempt = await prepared(ascii, domain)
    await attempt.perform(() => true)
    const refused = await failed(ascii, name)
    const international = await prepared(plain, name)
    await international.perform(() => true)

    expect((await postfix.delivered(attempt.messageId))[0]?.recipient).toBe(
      'ann@xn--bcher-kva.example',
    )
    expect(refused.refused).toMatchObject([{ reply: expect.stringMatching(/^553 5\.6\.7 /) }])
    expect((await postfix.delivered(international.messageId))[0]?.recipient).toBe(
      Buffer.from('änn@bücher.example').toString('latin1'),
    )
  })

  test('an accepted mail that finds nobody comes back as a DSN, to its sender', async () => {
    await using sink = sinkTo('plain')
    const linesBefore = postfix.log.length

    const attempt = await prepared(
      sink,
      attemptOf({ requestId: 'bounced', to: ['bounced@example.com'] }),
    )
    const outcome = await attempt.perform(() => true)
    await postfix.untilLog(/to=<sender@example\.org>.*status=sent/, { from: linesBefore })

    expect(outcome.kind).toBe('done')
    const notices = (await postfix.mails()).filter(({ message }) =>
      message.includes('report-type=delivery-status'),
    )
    expect(notices.map(({ recipient }) => recipient)).toEqual(['sender@example.org'])
    expect(notices[0]?.message).toContain('Final-Recipient: rfc822; bounced@example.com')
    expect(notices[0]?.message).toContain(attempt.messageId)
  })
})

const allBytes = Buffer.from(Array.from({ length: 1024 }, (_, at) => at % 256))

/** Postfix has taken a message into its queue. */
const takenLine = /qmgr\[\d+\]: \w+: from=(.*), size=/
