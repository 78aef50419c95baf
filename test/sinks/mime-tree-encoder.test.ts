import { expect, test } from 'vitest'
import { seededRandom, type Random } from '../../src/random.ts'
import { mailComposerEncoder } from '../../src/sinks/mail-composer-encoder.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { mimeTreeEncoder } from '../../src/sinks/mime-tree-encoder.ts'
import { mailRequest } from './mail-fixture.ts'

const identity = {
  from: 'sender@example.org',
  messageId: `<${'a'.repeat(52)}@example.org>`,
  boundary: 'b'.repeat(26),
  date: new Date(Date.UTC(2026, 0, 2)),
}

const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random.next() * values.length)] as T

const words = [
  'Hello',
  'Grüße',
  'заказ',
  '你好',
  '🎉',
  '.',
  '..',
  '=',
  '=20',
  '\t',
  'x'.repeat(90),
  'a,b',
  '?',
  '--b',
  ' ',
  '  ',
  '\n',
  '\r\n',
  '\r',
  '\n.\n',
  '\u0001',
]

const someText = (random: Random, wordsMax: number, from = words): string =>
  Array.from({ length: Math.floor(random.next() * wordsMax) }, () => pick(random, from)).join(
    pick(random, ['', ' ']),
  )

const headerWords = words.filter(word => !/[\p{Cc}]/u.test(word))

function someMail(random: Random): MailRequest {
  const addresses = (): string[] =>
    Array.from({ length: Math.floor(random.next() * 8) }, (_, index) =>
      pick(random, [
        `ann-${index}@example.com`,
        `"a, ${index}"@example.com`,
        `ü${index}@bücher.example`,
      ]),
    )
  const attachments = Array.from({ length: Math.floor(random.next() * 3) }, () => ({
    filename: pick(random, ['a.pdf', 'Grüße aus "Köln".txt', 'very '.repeat(30), '']),
    contentType: pick(random, ['application/pdf', 'text/plain; charset=utf-8', 'image/png']),
    content: Buffer.alloc(
      pick(random, [0, 1, 56, 57, 58, 114, 1000, 57 * 4096, 57 * 4096 + 1, 300_000]),
      'mail',
    ),
  }))
  return mailRequest({
    to: ['ann@example.com', ...addresses()],
    cc: addresses(),
    replyTo: pick(random, [null, 'reply@example.com']),
    subject: someText(random, 30, headerWords),
    text: pick(random, [null, '', someText(random, 200), 'plain text\r\n'.repeat(20)]),
    html: pick(random, [null, null, `<p>${someText(random, 100)}</p>`]),
    headers: { 'X-Words': someText(random, 20, headerWords), 'x-id': '1' },
    attachments,
  })
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'seed %i: the same bytes as MailComposer makes',
  async seed => {
    const random = seededRandom(seed)
    for (let mail = 0; mail < 15; mail += 1) {
      const request = someMail(random)

      const bytes = await mimeTreeEncoder(request, identity)
      const expected = await mailComposerEncoder(request, identity)

      expect(bytes.equals(expected), `mail ${mail}`).toBe(true)
    }
  },
)

test.each<{ shape: string; change: Partial<MailRequest> }>([
  { shape: 'a large text', change: { text: 'wört '.repeat(40_000) } },
  { shape: 'a text that ends in spaces', change: { text: `${'wörd '.repeat(30)}   ` } },
  {
    shape: 'an attached message with any line ends',
    change: {
      attachments: [
        {
          filename: 'a.eml',
          contentType: 'message/rfc822',
          content: Buffer.from('a: b\n\nc\r\nd\n'),
        },
      ],
    },
  },
])('$shape: the same bytes as MailComposer makes', async ({ change }) => {
  const request = mailRequest(change)

  const bytes = await mimeTreeEncoder(request, identity)

  expect(bytes.equals(await mailComposerEncoder(request, identity))).toBe(true)
})

test.each([6, 7, 33])(
  'large text %i: the same bytes as MailComposer makes, which breaks these lines otherwise where its pieces meet',
  async seed => {
    const random = seededRandom(seed)
    const pieces = Array.from({ length: 20_000 }, () =>
      pick(random, ['Grüße', '你好', '🎉', 'a', '=', 'x'.repeat(40), ' ', '\r\n']),
    )
    const request = mailRequest({ text: `${pieces.join('')}.` })

    const bytes = await mimeTreeEncoder(request, identity)

    expect(bytes.equals(await mailComposerEncoder(request, identity))).toBe(true)
  },
)
