import { identityOf } from '../email/identity.ts'
import { StreamsError } from '../errors.ts'
import type { Invocation } from './command.ts'
import { decide } from './decide.ts'
import { parseRequestId, requestIdText } from './request-id.ts'

/** `cancel`: honoured until transaction 1 of a try. */
export async function cancelCommand(invocation: Invocation): Promise<number> {
  const name = parseRequestId(invocation.argument)
  return decide(invocation, {
    name,
    kind: 'cancel',
    commandFor: ({ state, outcome }, decision) => {
      if (state === 'queued' || state === 'waiting')
        return { kind: 'cancel', identity: identityOf(name), decision }
      const why = state === 'ended' ? `it has ended: ${outcome}` : 'the relay is being given it'
      throw new StreamsError(
        'DECISION_REFUSED',
        `${requestIdText(name)} cannot be cancelled: ${why}`,
      )
    },
  })
}
