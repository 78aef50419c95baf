import { expect, test } from 'vitest'
import type { SuppressionReason } from '../../src/email/records.ts'
import { suppressed, suppressionKey, suppressionList } from '../../src/email/suppression.ts'
import { emailTopics } from '../../src/email/topics.ts'
import type { FindTable } from '../../src/global-table.ts'
import { plainSerdes } from '../support/email-flow.ts'

const list = suppressionList(emailTopics(plainSerdes, 1).suppressed)
const tableOf = (entries: readonly (readonly [string, SuppressionReason])[]): FindTable =>
  (() => new Map(entries)) as unknown as FindTable

test.each([
  { rule: 'is the address', address: 'ann@example.com', key: 'ann@example.com' },
  {
    rule: 'has the domain in lower case',
    address: 'ann@Example.COM',
    key: 'ann@example.com',
  },
  {
    rule: 'has the local part as it is: only its host knows better',
    address: 'Ann.B+c@example.com',
    key: 'Ann.B+c@example.com',
  },
  {
    rule: 'has an international domain in ASCII',
    address: 'ann@BÜCHER.example',
    key: 'ann@xn--bcher-kva.example',
  },
  {
    rule: 'divides at the last @',
    address: '"a@b"@Example.com',
    key: '"a@b"@example.com',
  },
  {
    rule: 'takes an address literal',
    address: 'ann@[IPv6:2001:DB8::1]',
    key: 'ann@[ipv6:2001:db8::1]',
  },
])('the key of an address $rule', ({ address, key }) => {
  expect(suppressionKey(address)).toBe(key)
})

test('those on the list are refused with its reason, however their domain is written', () => {
  const table = tableOf([
    ['ann@example.com', 'HARD_BOUNCE'],
    ['bob@xn--bcher-kva.example', 'COMPLAINT'],
  ])

  const refused = suppressed(
    list,
    ['ann@EXAMPLE.com', 'eve@example.com', 'bob@bücher.example', 'Ann@example.com'],
    table,
  )

  expect(refused).toEqual([
    { target: 'ann@EXAMPLE.com', reply: '550 5.7.1 suppressed: HARD_BOUNCE' },
    { target: 'bob@bücher.example', reply: '550 5.7.1 suppressed: COMPLAINT' },
  ])
})

test('of an entry only its reason is kept', () => {
  const entry = {
    address: 'ann@example.com',
    reason: 'MANUAL',
    detail: 'asked by phone',
    source: 'ann',
    at: 5,
  } as const

  expect(list.keep(list.topic.value.deserialize(plainSerdes.suppressed.serialize(entry)))).toBe(
    'MANUAL',
  )
})
