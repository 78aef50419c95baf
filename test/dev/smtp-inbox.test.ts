import { createTransport } from 'nodemailer'
import { expect, test } from 'vitest'

import type { Clock } from '../../src/clock.ts'
import { SmtpInbox, type SmtpInboxOptions } from '../../src/dev/smtp-inbox.ts'

async function send(inbox: SmtpInbox, to: string, subject = 'hello'): Promise<string> {
  const transport = createTransport(`${inbox.url}?ignoreTLS=true`)
  try {
    const { response } = await transport.sendMail({
      from: 'shop@example.com',
      to,
      subject,
      text: '.dot\n',
    })
    return response
  } finally {
    transport.close()
  }
}

async function withInbox(
  act: (inbox: SmtpInbox) => Promise<void>,
  options?: SmtpInboxOptions,
  clock?: Clock,
): Promise<void> {
  await using inbox = await SmtpInbox.start(options, clock)
  await act(inbox)
}

test('a mail is kept with its envelope, its bytes and what they say', () =>
  withInbox(async inbox => {
    await send(inbox, 'ann@example.com, bob@example.com', 'Grüße')

    expect(inbox.mails()).toMatchObject([
      {
        sender: 'shop@example.com',
        recipients: ['ann@example.com', 'bob@example.com'],
        parsed: { subject: 'Grüße', text: '.dot\n' },
      },
    ])
    expect(inbox.mails()[0]?.raw.toString()).toContain('\r\n\r\n.dot')
  }))

test('a refused recipient gets its reply and leaves no mail', () =>
  withInbox(async inbox => {
    await expect(send(inbox, 'reject@example.com')).rejects.toMatchObject({ responseCode: 550 })

    expect(inbox.mails()).toEqual([])
  }))

test('a recipient that is deferred once is taken the second time', () =>
  withInbox(async inbox => {
    await expect(send(inbox, 'defer-once@example.com')).rejects.toMatchObject({ responseCode: 451 })
    await send(inbox, 'defer-once@example.com')

    expect(inbox.mails()).toHaveLength(1)
  }))

test('a message that is refused at its dot leaves no mail', () =>
  withInbox(async inbox => {
    await expect(send(inbox, 'reject-message@example.com')).rejects.toMatchObject({
      responseCode: 554,
    })

    expect(inbox.mails()).toEqual([])
  }))

test('drop takes the mail and gives no answer', () =>
  withInbox(async inbox => {
    await expect(send(inbox, 'drop@example.com')).rejects.not.toHaveProperty('responseCode')

    expect(inbox.mails()).toHaveLength(1)
  }))

test('slow keeps the mail and answers when its time has come', () => {
  const answers: (() => void)[] = []
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    schedule: (delayMs, callback) => {
      expect(delayMs).toBe(700)
      answers.push(callback)
      return () => undefined
    },
  }
  const kept = Promise.withResolvers<void>()
  const act = async (inbox: SmtpInbox): Promise<void> => {
    const sent = send(inbox, 'slow@example.com')
    await kept.promise
    await expect.poll(() => answers.length, { timeout: 4_000 }).toBe(1)

    answers[0]?.()

    expect(await sent).toMatch(/^250 /)
  }
  return withInbox(act, { slowMs: 700, onMail: () => kept.resolve() }, clock)
})

test('the oldest mail is forgotten, and still counted', () =>
  withInbox(
    async inbox => {
      for (const subject of ['one', 'two', 'three']) await send(inbox, 'ann@example.com', subject)

      expect(inbox.mails().map(mail => mail.parsed.subject)).toEqual(['two', 'three'])
      expect(inbox.mailsTotal).toBe(3)
    },
    { mailsMax: 2 },
  ))
