/** What the inbox does with a recipient or a message, so that a demo or a test can ask for it by address. */
export type InboxBehaviour =
  | { readonly kind: 'accept' }
  | {
      readonly kind: 'reply'
      readonly at: 'recipient' | 'dot'
      readonly code: number
      readonly text: string
    }
  | { readonly kind: 'slow' }
  | { readonly kind: 'drop' }

const accept: InboxBehaviour = Object.freeze({ kind: 'accept' })

const permanent: InboxBehaviour = {
  kind: 'reply',
  at: 'recipient',
  code: 550,
  text: '5.1.1 No such mailbox',
}
const later: InboxBehaviour = {
  kind: 'reply',
  at: 'recipient',
  code: 451,
  text: '4.7.1 Try again later',
}

/**
 * The behaviour by the local part of the address, whatever follows a plus sign (`reject+7@example.com`):
 * `reject` 550 and `defer` 451 at RCPT; `defer-once` 451 the first time an address is seen; `reject-message` 554 and
 * `defer-message` 451 after the final dot; `slow` answers the dot late; `drop` takes the message and closes the
 * connection without an answer, which leaves the sender in doubt. Everybody else is accepted. Pure.
 */
export function inboxBehaviour(address: string, seenBefore: boolean): InboxBehaviour {
  const localPart = address.slice(0, address.lastIndexOf('@')).split('+')[0] ?? ''
  switch (localPart.toLowerCase()) {
    case 'reject':
      return permanent
    case 'defer':
      return later
    case 'defer-once':
      return seenBefore ? accept : later
    case 'reject-message':
      return { kind: 'reply', at: 'dot', code: 554, text: '5.6.0 Message refused' }
    case 'defer-message':
      return { kind: 'reply', at: 'dot', code: 451, text: '4.3.0 Try again later' }
    case 'slow':
      return { kind: 'slow' }
    case 'drop':
      return { kind: 'drop' }
    default:
      return accept
  }
}
