import { expect, test } from 'vitest'
import { isMailbox, isPlainMailbox } from '../../src/email/mailbox.ts'
import { seededRandom } from '../../src/random.ts'

const longLocal = 'l'.repeat(64)
const longLabel = 'd'.repeat(63)
const domainOf = (length: number): string =>
  `${'d'.repeat(61)}.`.repeat(4) + 'x'.repeat(length - 248)

test.each([
  'ada@example.org',
  'a@b',
  'mailonce@localhost',
  'first.last+tag@sub.example.org',
  "o'neill!#$%&*/=?^_`{|}~-@example.org",
  '"quoted local"@example.org',
  '"a@b"@example.org',
  String.raw`"a\"b\\c"@example.org`,
  '""@example.org',
  'a@[192.0.2.1]',
  'a@[IPv6:2001:db8::1]',
  'a@[x400:whatever]',
  'a@1example.org',
  'a@xn--bcher-kva.example',
  'jörg@bücher.example',
  '用户@例子.广告',
  '"jö rg"@example.org',
  `${longLocal}@example.org`,
  `a@${longLabel}.org`,
  `a@${domainOf(252)}`,
])('%s is a bare address', address => {
  expect(isMailbox(address)).toBe(true)
})

test.each([
  '',
  'ada',
  '@example.org',
  'ada@',
  '@',
  'Ada <ada@example.org>',
  '<ada@example.org>',
  'ada@example.org, bob@example.org',
  'ada@example.org ',
  ' ada@example.org',
  'ada @example.org',
  'ada@example.org\r\nBcc: eve@example.org',
  'ada\r\n@example.org',
  'ada@example.org\n',
  'ada@exam\0ple.org',
  '"a\nb"@example.org',
  '"a"b"@example.org',
  '"a\\"@example.org',
  '"ada"x@example.org',
  '.ada@example.org',
  'ada.@example.org',
  'a..b@example.org',
  'a@b@example.org',
  'ada(comment)@example.org',
  'ada@example..org',
  'ada@.example.org',
  'ada@example.org.',
  'ada@-example.org',
  'ada@example-.org',
  'ada@exa_mple.org',
  'ada@exa mple.org',
  'ada@[192.0.2]',
  'ada@[300.0.2.1]',
  'ada@[IPv6:nonsense]',
  'ada@[IPv6:fe80::1%eth0]',
  'ada@[]',
  'ada@[192.0.2.1',
  'ada@192.0.2.1]',
  'a\u00a0b@example.org',
  'a\u0085b@example.org',
  'a\u2028b@example.org',
  'a\ufeffb@example.org',
  `${longLocal}l@example.org`,
  `${'ö'.repeat(33)}@example.org`,
  `a@${longLabel}d.org`,
  `a@${domainOf(253)}`,
])('%j is none', address => {
  expect(isMailbox(address)).toBe(false)
})

test('an address made to be slow is refused as fast as any other', () => {
  const address = `${'a.'.repeat(100_000)}@${'-'.repeat(100_000)}`

  expect(isMailbox(address)).toBe(false)
})

const parts = [
  'a',
  'b',
  'Z9',
  '-',
  '.',
  '@',
  '@',
  '+',
  'ö',
  ' ',
  '"',
  '_',
  'l'.repeat(62),
  'd'.repeat(63),
]

test.each(Array.from({ length: 40 }, (_, seed) => seed))(
  'seed %i: what its bytes show to be a plain address is a bare address, and no ordinary one is missed',
  seed => {
    const random = seededRandom(seed)
    let plain = 0
    for (let round = 0; round < 500; round += 1) {
      const count = 2 + Math.floor(random.next() * 8)
      const some = (): string => parts[Math.floor(random.next() * parts.length)]!
      const text = Array.from({ length: count }, some).join('')
      const bytes = Buffer.from(`@${text}.`)

      const isPlain = isPlainMailbox(bytes, 1, bytes.length - 1)

      // Beyond ASCII and in quotes it is left to `isMailbox`.
      expect([text, isPlain]).toEqual([text, isMailbox(text) && !/[ö"]/.test(text)])
      plain += Number(isPlain)
    }
    expect(plain).toBeGreaterThan(0)
  },
)
