import { nameOf } from '../../../src/email/identity.ts'
import { recipientsOf } from '../../../src/email/recipients.ts'
import {
  type Asked,
  type End,
  isOfRecord,
  isOld,
  reasonOf,
  type RequestHistory,
  sameContent,
} from './request-histories.ts'

/** Every request that decodes ends once; what contradicts it and what is too old ends once for each record. */
export function brokenEndPromises(history: RequestHistory, offsetsSetBack: boolean): string[] {
  const { identity, asked, original } = history
  const { source, requestId } = nameOf(identity)
  const broken = asked.flatMap(each =>
    (each === original
      ? brokenOriginal(history, original)
      : brokenRepeat(each, original, offsetsSetBack)
    ).map(text => `${source} ${requestId} (record ${each.number}): ${text}`),
  )
  if (original === undefined && !asked.every(isOld)) broken.push(`${source} ${requestId}: lost`)
  return broken
}

function brokenOriginal({ policy, ends }: RequestHistory, original: Asked): string[] {
  const reasons = ends.map(reasonOf)
  const broken: string[] = []
  const revised = ends.length === 2 && reasons.filter(each => each === 'IN_DOUBT').length === 1
  if (ends.length === 0) broken.push('never ended')
  else if (ends.length > 1 && !revised)
    broken.push(`ended ${ends.length} times: ${reasons.join(', ')}`)
  if (original.accepted > 1) broken.push(`accepted ${original.accepted} times`)
  if (policy === 'resend' && reasons.includes('IN_DOUBT') && !ends.some(isSuppressed))
    broken.push('in doubt, although it is sent again')
  return [...broken, ...ends.flatMap(end => brokenEnd(end, original))]
}

/** Somebody was suppressed while he was in doubt: nobody mails him again, so that stays in doubt. */
function isSuppressed({ recipients }: End): boolean {
  return recipients.some(each => each.status === 'UNKNOWN' && each.reply.includes('suppressed'))
}

/** Whoever has the same content has no end of his own. */
function brokenRepeat(
  asked: Asked,
  original: Asked | undefined,
  offsetsSetBack: boolean,
): string[] {
  const reasons = asked.ends.map(reasonOf)
  const told = `ended ${reasons.length} times: ${reasons.join(', ')}`
  if (asked.accepted > 0 || !asked.ends.every(isOfRecord)) return [`a repeat that ${told}`]
  const contradicts = original !== undefined && !sameContent(asked.request, original.request)
  if (!isOld(asked)) {
    const expected = contradicts ? 'CONFLICT' : ''
    return reasons.join() === expected ? [] : [`${told}, not ${expected || 'at all'}`]
  }
  // Too old, or later than its original; read again, it is too old again.
  if (reasons.includes('CONFLICT') && !contradicts) return [told]
  if (reasons.length === 0) return contradicts || original === undefined ? ['lost'] : []
  return reasons.length === 1 || offsetsSetBack ? [] : [told]
}

function brokenEnd(end: End, { request, accepted }: Asked): string[] {
  const reason = reasonOf(end)
  const mailed = reason !== 'INVALID'
  const broken: string[] = []
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
