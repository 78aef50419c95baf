import PostalMime from 'postal-mime'
import { expect, test } from 'vitest'
import { errorCodeOf } from '../../src/errors.ts'
import { seededRandom, type Random } from '../../src/random.ts'
import { composeMail } from '../../src/sinks/compose-mail.ts'
import type { ComposedMail } from '../../src/sinks/composed-mail.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { mailRequest, firstSeenMs } from './mail-fixture.ts'

/** Refused in a header, if they get there. */
const controls = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  '\0',
  '\t',
  '\v',
  '\f',
  '\x85',
  '\u2028',
  '\x1b',
  '\r\nBcc: evil@example.net',
  '\r\nX-Evil: 1',
  '\n.\n',
  '\r\n.\r\n',
  '\u2029',
]
/** What has broken mail programs before, and what would show that it got through. */
const fragments = [
  'Bcc: evil@example.net',
  'X-Evil: 1',
  'Content-Type: text/html',
  'From: evil@example.net',
  '--',
  '_NmP-',
  '.',
  '=0D=0AX-Evil: 1',
  '%0D%0AX-Evil:%201',
  '=?utf-8?Q?=0D=0AX-Evil:=201?=',
  '=?utf-8?B?DQpYLUV2aWw6IDE=?=',
  '"',
  "'",
  '\\',
  ';',
  ',',
  ':',
  '<',
  '>',
  '(',
  ')',
  '@',
  '[',
  ']',
  '*',
  '=',
  'filename*0*=',
  '; name=x',
  'a',
  'word ',
  ' ',
  '  ',
  'ü',
  '日本語',
  '🎉',
  '\u202e',
  '\ufeff',
  'x'.repeat(80),
  'example.com',
  'ann@example.com',
  'group: a@b.c;',
  '<evil@example.net>',
  '\u010a\u010d',
  '嘊嘍',
]

const pick = (random: Random, from: readonly string[]): string =>
  from[Math.floor(random.next() * from.length)] ?? ''
const text = (random: Random, max: number, controlled = 0.02): string =>
  Array.from({ length: Math.floor(random.next() * max) }, () =>
    pick(random, random.next() < controlled ? controls : fragments),
  ).join('')

/** A request of which any part may be hostile. */
function hostile(random: Random): MailRequest {
  const may = (value: () => string, else_: string): string =>
    random.next() < 0.1 ? value() : else_
  const address = (): string =>
    may(() => `${text(random, 4)}@${text(random, 3)}`, 'ann@example.com')
  return mailRequest({
    requestId: may(() => text(random, 4), 'r-1'),
    source: may(() => text(random, 4), 'shop'),
    from: address(),
    replyTo: random.next() < 0.5 ? null : address(),
    to: [address(), 'bob@example.com'],
    cc: random.next() < 0.5 ? [] : [address()],
    bcc: ['hidden@example.net'],
    subject: text(random, 8),
    text: random.next() < 0.1 ? null : text(random, 30, 0.3),
    html: random.next() < 0.5 ? null : text(random, 30, 0.3),
    headers: { [may(() => text(random, 3), 'X-Campaign')]: text(random, 6) },
    attachments:
      random.next() < 0.5
        ? []
        : [
            {
              filename: text(random, 6),
              contentType: may(() => text(random, 4), 'text/plain; charset=utf-8'),
              content: Buffer.from(text(random, 10, 0.3)),
            },
          ],
    unsubscribe:
      random.next() < 0.5
        ? null
        : {
            url: may(() => `https://example.org/${text(random, 3)}`, 'https://example.org/u'),
            mailto: may(() => `u@example.org${text(random, 3)}`, 'u@example.org'),
            oneClick: random.next() < 0.5,
          },
  })
}

const ours = new Set([
  'from',
  'to',
  'cc',
  'reply-to',
  'subject',
  'message-id',
  'date',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'list-unsubscribe',
  'list-unsubscribe-post',
  // Of a mail that is an attachment and nothing else.
  'content-disposition',
])

const compose = async (request: MailRequest): Promise<ComposedMail> =>
  composeMail(request, firstSeenMs, 'default@example.org')

// Replay one failure with: SEED=17 npx vitest run test/sinks/hostile-mail.test.ts
const only = process.env['SEED']
const count = Number(process.env['SEEDS'] ?? 1500)
const seeds = only === undefined ? Array.from({ length: count }, (_, at) => at) : [Number(only)]

test('no request, however hostile, adds a header, a recipient, a part or a line end of its own', async () => {
  let composedCount = 0
  for (const seed of seeds) {
    const request = hostile(seededRandom(seed))
    const composed = await compose(request).catch((error: unknown) => error as Error)
    const harms =
      composed instanceof Error ? refusalHarms(composed) : await mailHarms(request, composed)

    expect({ seed, harms }).toEqual({ seed, harms: [] })
    if (!(composed instanceof Error)) composedCount += 1
  }

  expect(composedCount).toBeGreaterThanOrEqual(Math.floor(seeds.length / 3))
}, 60_000)

function refusalHarms(error: Error): readonly string[] {
  return errorCodeOf(error) === 'RECORD_UNDECODABLE' ? [] : [String(error)]
}

async function mailHarms(request: MailRequest, mail: ComposedMail): Promise<readonly string[]> {
  const raw = mail.bytes.toString('latin1')
  const header = raw.slice(0, raw.indexOf('\r\n\r\n'))
  const parsed = await PostalMime.parse(mail.bytes)
  const { attachments } = parsed
  const names = parsed.headers.map(({ key }) => key)
  const own = new Set(Object.keys(request.headers).map(name => name.toLowerCase()))
  const kept = request.attachments.every(
    ({ filename, content }, at) =>
      isSame(attachments[at]?.filename, filename) &&
      Buffer.from(attachments[at]?.content as ArrayBuffer).equals(content),
  )
  const harms = {
    'a header of its own': names.some(name => !ours.has(name) && !own.has(name)),
    'a header twice': new Set(names).size !== names.length,
    'a bare line end': /[\r\n]/.test(raw.replaceAll('\r\n', '')),
    'a blind copy': raw.includes('hidden@example.net'),
    'bytes beyond ASCII': !mail.smtpUtf8 && !/^[\t\r\n\x20-\x7e]*$/.test(header),
    'a long line': raw.split('\r\n').some(line => line.length > 998),
    'another number of recipients':
      (parsed.to ?? []).length !== request.to.length ||
      (parsed.cc ?? []).length !== request.cc.length,
    'no sender': parsed.from?.address === undefined,
    'another subject': !isSame(parsed.subject, request.subject),
    'other attachments': attachments.length !== request.attachments.length || !kept,
  }
  return Object.entries(harms).flatMap(([name, is]) => (is ? [name] : []))
}

/** Readers fold white space, and decode what looks encoded already; an empty file name is replaced. */
function isSame(got: string | null | undefined, wanted: string): boolean {
  if (wanted.includes('=?') || wanted.trim() === '') return true
  const plain = (each: string): string =>
    each.replaceAll('\ufeff', '').replaceAll(/\s+/g, ' ').trim()
  return plain(got ?? '') === plain(wanted)
}
