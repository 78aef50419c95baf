import { recipientsOf } from '../../../src/email/recipients.ts'
import { nameOf } from '../../../src/email/identity.ts'
import { type End, isOld, reasonOf, type RequestHistory, sameContent } from './request-histories.ts'

/** Every request that decodes ends once; a contradiction and what is too old end once for each record. */
export function brokenEndPromises(history: RequestHistory, offsetsSetBack: boolean): string[] {
  const { asked, ends, original, accepted, conflicts, tooOld, policy } = history
  const broken: string[] = []
  const { source, requestId } = nameOf(history.identity)
  const say = (text: string): void => void broken.push(`${source} ${requestId}: ${text}`)
  const reasons = ends.map(reasonOf)
  const fresh = asked.filter(each => !isOld(each))

  if (fresh.length > 0 && ends.length === 0) say('never ended')
  if (fresh.length === 0 && ends.length > 0) say(`too old, but ended ${reasons.join(', ')}`)
  const revised = ends.length === 2 && reasons.filter(each => each === 'IN_DOUBT').length === 1
  if (ends.length > 1 && !revised) say(`ended ${ends.length} times: ${reasons.join(', ')}`)
  if (accepted > 1) say(`accepted ${accepted} times`)
  if (policy === 'resend' && reasons.includes('IN_DOUBT'))
    say('in doubt, although it is sent again')
  if (original === undefined) return broken

  const differs = (each: (typeof asked)[number]): boolean =>
    !sameContent(each.request, original.request)
  const least = fresh.filter(differs).length
  const most = asked.filter(differs).length
  if (conflicts.length < least || conflicts.length > most)
    say(`${conflicts.length} conflicts of ${least} to ${most}`)
  const old = asked.length - fresh.length
  if (tooOld.length > old && !offsetsSetBack) say(`${tooOld.length} times too old of ${old}`)
  for (const end of ends)
    broken.push(...brokenEnd(end, history).map(text => `${source} ${requestId}: ${text}`))
  return broken
}

function brokenEnd(end: End, { original, accepted }: RequestHistory): string[] {
  const broken: string[] = []
  const reason = reasonOf(end)
  const { request } = original!
  const mailed = reason !== 'INVALID'
  if (mailed !== accepted > 0) broken.push(`${reason}, but accepted ${accepted} times`)
  if (reason === 'EXPIRED' && request.expiresAt === null) broken.push('expired without an expiry')
  if (!mailed) return broken
  const addresses = end.recipients.map(each => each.address)
  if (addresses.join() !== recipientsOf(request).join())
    broken.push(`${reason} for ${addresses.join()} instead of ${recipientsOf(request).join()}`)
  const has = (status: string): boolean => end.recipients.some(each => each.status === status)
  const expected = has('ACCEPTED') ? 'SENT' : has('UNKNOWN') ? 'IN_DOUBT' : reason
  if (reason !== expected || (reason === 'SENT' && !has('ACCEPTED')))
    broken.push(`${reason} with ${end.recipients.map(each => each.status).join()}`)
  return broken
}
