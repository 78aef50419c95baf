import { StreamsError } from '../errors.ts'
import type { Relay } from './relay.ts'
import { takesAll } from './relay-choice.ts'

/** Throws CONFIGURATION_INVALID where some mails could go nowhere, or a record could not tell two relays apart. */
export function checkRelays(
  relays: readonly Pick<Relay, 'name' | 'address' | 'formerly' | 'senderDomains' | 'tags'>[],
): void {
  if (relays.length === 0) throw invalid('names no relay')
  if (!relays.some(takesAll))
    throw invalid(
      'each has sender-domains or tags, so other mails could go nowhere: add one without them',
    )
  const names = new Map<string, string>()
  for (const { name, address, formerly } of relays)
    for (const each of [address, ...formerly]) {
      const other = names.get(each)
      if (other !== undefined)
        throw invalid(`${other} and ${name} are both ${each}: outcomes could not tell them apart`)
      names.set(each, name)
    }
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', `relays: ${message}`)
}
