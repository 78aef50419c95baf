import { expect, test } from 'vitest'

import { inboxBehaviour } from '../../src/dev/inbox-rules.ts'

test.each([
  { address: 'ann@example.com', seen: false, does: { kind: 'accept' } },
  {
    address: 'reject@example.com',
    seen: true,
    does: { kind: 'reply', at: 'recipient', code: 550 },
  },
  {
    address: 'REJECT+7@example.com',
    seen: false,
    does: { kind: 'reply', at: 'recipient', code: 550 },
  },
  { address: 'rejected@example.com', seen: false, does: { kind: 'accept' } },
  { address: 'defer@example.com', seen: true, does: { kind: 'reply', at: 'recipient', code: 451 } },
  {
    address: 'defer-once@example.com',
    seen: false,
    does: { kind: 'reply', at: 'recipient', code: 451 },
  },
  { address: 'defer-once@example.com', seen: true, does: { kind: 'accept' } },
  {
    address: 'reject-message@example.com',
    seen: true,
    does: { kind: 'reply', at: 'dot', code: 554 },
  },
  {
    address: 'defer-message@example.com',
    seen: true,
    does: { kind: 'reply', at: 'dot', code: 451 },
  },
  { address: 'slow@example.com', seen: false, does: { kind: 'slow' } },
  { address: 'drop@example.com', seen: false, does: { kind: 'drop' } },
])('$address, seen before: $seen → $does', ({ address, seen, does }) => {
  expect(inboxBehaviour(address, seen)).toMatchObject(does)
})
