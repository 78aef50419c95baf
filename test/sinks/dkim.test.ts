import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { composeMail } from '../../src/sinks/compose-mail.ts'
import { relaxedBodyHash } from '../../src/sinks/dkim-canonical.ts'
import type { DkimOptions } from '../../src/sinks/dkim-key.ts'
import { DkimKeys } from '../../src/sinks/dkim-keys.ts'
import { mailComposerEncoder } from '../../src/sinks/mail-composer-encoder.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { firstSeenMs, mailRequest, prepared, sinkOf } from './mail-fixture.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const secondRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')

const pem = ({ privateKey }: { privateKey: KeyObject }): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const der = ({ publicKey }: { publicKey: KeyObject }): Buffer =>
  publicKey.export({ type: 'spki', format: 'der' })

/** What the DNS says; the raw key of Ed25519 is the end of its DER. */
const names: Readonly<Record<string, string>> = {
  's1._domainkey.example.org': `v=DKIM1; k=rsa; p=${der(rsa).toString('base64')}`,
  's2._domainkey.example.org': `v=DKIM1; k=rsa; p=${der(secondRsa).toString('base64')}`,
  'ed._domainkey.example.org': `v=DKIM1; k=ed25519; p=${der(ed25519).subarray(-32).toString('base64')}`,
  's1._domainkey.xn--bcher-kva.example': `v=DKIM1; k=rsa; p=${der(rsa).toString('base64')}`,
}

const one = { 'example.org': [{ selector: 's1', privateKey: pem(rsa) }] }
const both = {
  'example.org': [...one['example.org'], { selector: 'ed', privateKey: pem(ed25519) }],
}

async function signed(
  options: DkimOptions,
  change: Partial<MailRequest> = {},
  seenMs = firstSeenMs,
): Promise<Buffer> {
  const dkim = new DkimKeys(options)
  return (await composeMail(mailRequest(change), seenMs, 'default@example.org', { dkim })).bytes
}

async function verified(bytes: Buffer): Promise<readonly string[]> {
  const resolver = async (name: string): Promise<string[][]> => {
    const text = names[name]
    if (text === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    return [[text]]
  }
  const { results } = await dkimVerify(bytes, { resolver })
  return results
    .filter(({ status }) => status.result !== 'none')
    .map(
      ({ status, signingDomain, selector, algo }) =>
        `${status.result} ${signingDomain} ${selector} ${algo}`,
    )
}

const attachment = {
  filename: 'Übersicht.bin',
  contentType: 'application/x-bin',
  content: Buffer.from(Array.from({ length: 400_000 }, (_, at) => (at * 7) % 251)),
}

test.each<{ shape: string; change: Partial<MailRequest> }>([
  { shape: 'plain text', change: {} },
  { shape: 'an empty text', change: { text: '' } },
  { shape: 'white space everywhere', change: { text: '  a \t b  \n\n \n\tc\n \n\n\n' } },
  { shape: 'text and HTML', change: { text: 'ü'.repeat(3000), html: '<p>ü</p>' } },
  { shape: 'attachments', change: { attachments: [attachment, attachment] } },
  {
    shape: 'long and folded headers',
    change: {
      subject: 'Grüße  an   alle '.repeat(30),
      to: Array.from({ length: 40 }, (_, at) => `person-${at}@department.example.com`),
      headers: { 'List-Id': '<a.example.org>', 'list-id': '<b.example.org>', 'X-Y': '\ta  b\t' },
    },
  },
  { shape: 'a local part beyond ASCII', change: { to: ['änn@bücher.example'] } },
  {
    shape: 'an attached message with bytes beyond ASCII',
    change: {
      attachments: [
        {
          filename: 'm.eml',
          contentType: 'message/rfc822',
          content: Buffer.from('Subject: x\r\n\r\nGrüße  \r\n'),
        },
      ],
    },
  },
])('a stranger finds the signatures of $shape right', async ({ change }) => {
  expect(await verified(await signed(both, change))).toEqual([
    'pass example.org s1 rsa-sha256',
    'pass example.org ed ed25519-sha256',
  ])
})

test('the sink sends what is signed, and says the size of it', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { dkim: both })

  await (await prepared(sink)).perform(() => true)

  const { data = '' } = relay.accepted[0] ?? {}
  expect(await verified(Buffer.from(data))).toHaveLength(2)
  expect(relay.commands).toContain(`MAIL FROM:<sender@example.org> SIZE=${data.length}`)
})

test('the key of a repetition stands before the signatures, and they hold', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { dkim: both, idempotency: { header: 'X-Key', ttlMs: 1 } })

  await (await prepared(sink)).perform(() => true)

  const { data = '' } = relay.accepted[0] ?? {}
  expect(data).toMatch(/^X-Key: \S+\r\nDKIM-Signature: /)
  expect(await verified(Buffer.from(data))).toEqual([
    'pass example.org s1 rsa-sha256',
    'pass example.org ed ed25519-sha256',
  ])
})

test('a change to what a reader sees breaks them', async () => {
  const bytes = await signed(one, { cc: ['cc@example.com'] })
  const text = bytes.toString('latin1')

  const altered = [
    text.replace('Hello Ann', 'Hello Bob'),
    text.replace('Subject: Hello', 'Subject: Hullo'),
    // Added on top, where many readers look first.
    `From: boss@example.org\r\n${text}`,
    `Subject: Urgent\r\n${text}`,
    `Reply-To: thief@example.net\r\n${text}`,
    `Content-Type: text/html\r\n${text}`,
  ]

  const results = await Promise.all(altered.map(each => verified(Buffer.from(each, 'latin1'))))
  expect(results.flat().filter(result => result.startsWith('pass'))).toEqual([])
})

test('what relays add and fold breaks nothing', async () => {
  const text = (await signed(both)).toString('latin1')

  const relayed = `Received: from a by b;\r\n Fri, 02 Jan 2026 03:04:05 +0000\r\n${text}`
    .replace('Subject: Hello', 'subject:   Hello \t')
    .concat('\r\n\r\n')

  expect(
    (await verified(Buffer.from(relayed, 'latin1'))).every(line => line.startsWith('pass')),
  ).toBe(true)
})

test('about unsubscribing, both headers are signed', async () => {
  const text = (
    await signed(one, {
      headers: {
        'List-Unsubscribe': '<https://example.org/u>',
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      },
    })
  ).toString('latin1')

  for (const name of ['List-Unsubscribe', 'List-Unsubscribe-Post']) {
    const altered = text.replace(`\r\n${name}: `, `\r\n${name}: x`)
    expect(await verified(Buffer.from(altered, 'latin1'))).toEqual([
      expect.stringMatching(/^(fail|neutral) /),
    ])
  }
})

test('every try has the same bytes, whatever has been rotated meanwhile', async () => {
  const rotated = {
    'example.org': [
      { selector: 's2', privateKey: pem(secondRsa), fromMs: firstSeenMs + 1 },
      ...both['example.org'],
    ],
  }

  const before = await signed(both)
  const after = await signed(rotated)
  const later = await signed(rotated, {}, firstSeenMs + 1)

  expect(after.equals(before)).toBe(true)
  expect(await verified(later)).toEqual([
    'pass example.org s2 rsa-sha256',
    'pass example.org ed ed25519-sha256',
  ])
})

test('what is older than every key is signed with the oldest', async () => {
  const keys = [
    { selector: 's2', privateKey: pem(secondRsa), fromMs: firstSeenMs + 2 },
    { selector: 's1', privateKey: pem(rsa), fromMs: firstSeenMs + 1 },
  ]

  expect(await verified(await signed({ 'example.org': keys }))).toEqual([
    'pass example.org s1 rsa-sha256',
  ])
})

test.each([
  { from: 'a@example.org', signs: ['pass example.org s1 rsa-sha256'] },
  { from: 'a@Mail.Example.org', signs: ['pass example.org s1 rsa-sha256'] },
  { from: 'a@notexample.org', signs: [] },
  { from: 'a@org', signs: [] },
  { from: 'a@bücher.example', signs: ['pass xn--bcher-kva.example s1 rsa-sha256'] },
])('$from is signed for by $signs', async ({ from, signs }) => {
  const options = { ...one, 'bücher.example': one['example.org'] }

  expect(await verified(await signed(options, { from }))).toEqual(signs)
})

test('no line of a signature is longer than 78 characters', async () => {
  const text = (await signed(both)).toString('latin1')
  const lines = text.slice(0, text.indexOf('\r\nFrom:')).split('\r\n')

  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(78)
})

describe('the hash of a body', () => {
  test('is that of the RFCs for their examples', async () => {
    // RFC 6376 section 3.4.5 and 3.4.4.
    const example = Buffer.from(' C \r\nD \t E\r\n\r\n\r\n')
    const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64')

    expect(await relaxedBodyHash(example)).toBe(hashOf(' C\r\nD E\r\n'))
    expect(await relaxedBodyHash(Buffer.alloc(0))).toBe(
      '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
    )
  })

  test('does not depend on where its pieces end', async () => {
    const random = seededRandom(6376)
    const parts = ['\r\n', '\r\n', ' ', '\t', 'a', 'word', 'x'.repeat(3000), '\r\n'.repeat(70_000)]
    for (let round = 0; round < 30; round += 1) {
      let text = 'start'
      while (text.length < 400_000) {
        text += (parts[Math.floor(random.next() * (round % 3 === 0 ? 8 : 7))] ?? '').repeat(
          1 + Math.floor(random.next() * 20),
        )
      }
      const body = Buffer.from(`${text}\r\n`)
      const plain = `${text}\r\n`
        .replaceAll(/[ \t]+/g, ' ')
        .replaceAll(' \r\n', '\r\n')
        .split('\r\n')
      while (plain.at(-1) === '') plain.pop()

      expect(await relaxedBodyHash(body)).toBe(
        createHash('sha256')
          .update(`${plain.join('\r\n')}\r\n`)
          .digest('base64'),
      )
    }
  }, 20_000)
})

test('both encoders are signed alike', async () => {
  const dkim = new DkimKeys(both)
  const request = mailRequest({ html: '<b>x</b>', attachments: [attachment] })

  const ours = await composeMail(request, firstSeenMs, 'a@example.org', { dkim })
  const theirs = await composeMail(request, firstSeenMs, 'a@example.org', {
    dkim,
    encode: mailComposerEncoder,
  })

  expect(ours.bytes.equals(theirs.bytes)).toBe(true)
})

const short = pem(generateKeyPairSync('rsa', { modulusLength: 512 }))
const ec = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }))

test.each([
  { rule: 'a short key', key: { selector: 's', privateKey: short }, says: /RSA key of 512 bits/ },
  { rule: 'a key for something else', key: { selector: 's', privateKey: ec }, says: /for ec;/ },
  { rule: 'what is no key', key: { selector: 's', privateKey: 'x' }, says: /no|not a private key/ },
  { rule: 'no selector', key: { selector: 'a b', privateKey: pem(rsa) }, says: /selector "a b"/ },
])('refuses $rule', ({ key, says }) => {
  expect(() => new DkimKeys({ 'example.org': [key] })).toThrow(says)
})

test('refuses two keys of one kind that begin at the same time', () => {
  const keys = ['s1', 's2'].map(selector => ({ selector, privateKey: pem(rsa) }))

  expect(() => new DkimKeys({ 'example.org': keys })).toThrow(/begin at the same time/)
})
