import { nameOf } from '../../../src/email/identity.ts'
import { recipientsOf } from '../../../src/email/recipients.ts'
import type { MailRelay } from './mail-relay.ts'
import { lastEnd, reasonOf, type RequestHistory } from './request-histories.ts'

/** Nobody gets a mail twice, and what is said of each recipient is what the relay knows. */
export function brokenMailPromises(history: RequestHistory, relay: MailRelay): string[] {
  const { identity, ends, original, policy } = history
  const broken: string[] = []
  const { source, requestId } = nameOf(identity)
  const say = (text: string): void => void broken.push(`${source} ${requestId}: ${text}`)
  const end = lastEnd(ends)
  const ids = relay.messageIds.get(identity) ?? new Set<string>()
  if (ids.size > 1) say(`mailed as ${[...ids].join(' and ')}`)
  if (original === undefined && ids.size > 0) say('mailed, but by nobody asked for')
  if (end === undefined || original === undefined) return broken
  if (original.accepted === 0 && ids.size > 0) say(`${reasonOf(end)}, but mailed`)
  for (const address of recipientsOf(original.request)) {
    const taken = relay.timesTaken(identity, address)
    if (taken > 1 && policy === 'hold') say(`${address} got it ${taken} times`)
    const status = end.recipients.find(each => each.address === address)?.status
    if (status === 'ACCEPTED' && taken === 0) say(`${address} is ACCEPTED and never got it`)
    if (status === 'REJECTED' && taken > 0 && policy === 'hold')
      say(`${address} is REJECTED and got it`)
  }
  if (reasonOf(end) === 'SENT' && !ids.has(end.messageId ?? '')) say(`sent as ${end.messageId}`)
  return broken
}
