import { expect, test } from 'vitest'
import { seededRandom, type Random } from '../../src/random.ts'
import { mailComposerEncoder } from '../../src/sinks/mail-composer-encoder.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { plainMail } from '../../src/sinks/plain-mail-encoder.ts'
import { mailRequest } from './mail-fixture.ts'

const identityOf = (from: string) => ({
  from,
  messageId: `<${'a'.repeat(52)}@${from.slice(from.indexOf('@') + 1)}>`,
  boundary: 'b'.repeat(26),
  date: new Date(Date.UTC(2026, 0, 2)),
})

const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random.next() * values.length)] as T

const several = <T>(random: Random, most: number, make: (index: number) => T): T[] =>
  Array.from({ length: Math.floor(random.next() * (most + 1)) }, (_, index) => make(index))

const words = 'Hello|Grüße|заказ|你好|🎉|.|..|=|=20|\t|a,b|?|--b| |\n|\r\n|\r|\n.\n|\u0001|\u007f'
  .split('|')
  .concat('x'.repeat(90))
const subjectWords = 'Order|12|has|"a"|(b)|<c>|d: e|=|?|a=b|Grüße|заказ|你好|🎉|\u00a0x'
  .split('|')
  .concat('x'.repeat(40))
const headerNames = [
  'X-Tag',
  'X-Campaign-Name',
  'X-Priority',
  'X-Mailer',
  'Feedback-ID',
  'Precedence',
]
const domains = [
  'example.com',
  'mail.example.org',
  `${'long-'.repeat(9)}name.example`,
  'b2b.co',
  'localhost',
]
const locals = ['ann', 'B.o-b_2', 'x+tag', 'A'.repeat(60)]

const someAddress = (random: Random): string => `${pick(random, locals)}@${pick(random, domains)}`
const someLine = (random: Random): string =>
  ['Re:', ...several(random, 12, () => pick(random, subjectWords))].join(' ')
const someText = (random: Random): string =>
  `${several(random, 120, () => pick(random, words)).join(pick(random, ['', ' ']))}end`

function someMail(random: Random): MailRequest {
  return mailRequest({
    to: [someAddress(random), ...several(random, 6, () => someAddress(random))],
    cc: several(random, 3, () => someAddress(random)),
    bcc: several(random, 2, () => someAddress(random)),
    replyTo: pick(random, [null, someAddress(random)]),
    subject: someLine(random),
    text: pick(random, [null, '', 'short\nlines\n', someText(random)]),
    html: pick(random, [null, `<p>${someText(random)}</p>`]),
    headers: Object.fromEntries(
      several(random, 3, () => [pick(random, headerNames), someLine(random)]),
    ),
    unsubscribe: pick(random, [
      null,
      { url: `https://example.com/u?${'x'.repeat(90)}`, mailto: 'u@example.com', oneClick: true },
    ]),
    attachments: [],
  })
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'seed %i: the same bytes as MailComposer makes',
  async seed => {
    const random = seededRandom(seed)
    for (let mail = 0; mail < 40; mail += 1) {
      const request = { ...someMail(random), text: someText(random) }
      const identity = identityOf(someAddress(random))

      const bytes = plainMail(request, identity)

      expect(bytes?.toString()).toBe(String(await mailComposerEncoder(request, identity)))
    }
  },
)

test.each(['text', 'html'] as const)(
  '%s alone: the same bytes as MailComposer makes',
  async only => {
    const random = seededRandom(7)
    for (let mail = 0; mail < 40; mail += 1) {
      const alone = { text: null, html: pick(random, [null, '']), [only]: someText(random) }
      const request = { ...someMail(random), ...alone }
      const identity = identityOf(someAddress(random))

      const bytes = plainMail(request, identity)

      expect(bytes?.toString()).toBe(String(await mailComposerEncoder(request, identity)))
    }
  },
)

test.each<{ shape: string; change: Partial<MailRequest> }>([
  { shape: 'no content', change: { text: '', html: null } },
  { shape: 'a header in small letters', change: { headers: { 'x-tag': 'a' } } },
  {
    shape: 'a header whose end is written in capitals',
    change: { headers: { 'X-Thread-Id': 'a' } },
  },
  { shape: 'a header with a structure', change: { headers: { References: '<a@b>' } } },
  { shape: 'an empty header', change: { headers: { 'X-Tag': '' } } },
  { shape: 'a subject that reads like an encoded word', change: { subject: 'a =?utf-8?Q?b?=' } },
  { shape: 'a subject that begins with a space', change: { subject: ' a' } },
  { shape: 'an empty subject', change: { subject: '' } },
  { shape: 'a quoted local part', change: { to: ['"a b"@example.com'] } },
  { shape: 'two dots in a row', change: { to: ['a..b@example.com'] } },
  { shape: 'a domain in capitals', change: { to: ['a@Example.com'] } },
  { shape: 'a domain beyond ASCII', change: { cc: ['a@bücher.example'] } },
  { shape: 'a domain in Punycode', change: { cc: ['a@xn--bcher-kva.example'] } },
  { shape: 'a domain that is a number', change: { to: ['a@1.2.3'] } },
  { shape: 'a domain literal', change: { to: ['a@[127.0.0.1]'] } },
  {
    shape: 'an attachment',
    change: {
      attachments: [{ filename: 'a', contentType: 'text/plain', content: Buffer.from('a') }],
    },
  },
])('$shape is left to others', ({ change }) => {
  expect(plainMail(mailRequest(change), identityOf('shop@example.com'))).toBeUndefined()
})
