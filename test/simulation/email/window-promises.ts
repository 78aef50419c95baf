import { nameOf } from '../../../src/email/identity.ts'
import { recipientsOf } from '../../../src/email/recipients.ts'
import type { EmailWorld } from './email-world.ts'
import {
  type Asked,
  isOfRecord,
  reasonOf,
  type RequestHistory,
  requestHistories,
  sameContent,
} from './request-histories.ts'

/** A window that passes during a life: identities are forgotten, and may be taken again. */
export function isShort({ windowMs }: EmailWorld): boolean {
  return windowMs < 24 * 3_600_000
}

/** What holds whether an identity was forgotten or not: no copy of a request looks new, and every record is answered once. */
export function brokenWindowPromises(world: EmailWorld): string[] {
  const callbacks = Map.groupBy(world.callbacks(), each => Number(each.context['number']))
  return requestHistories(world).flatMap(history => {
    const { source, requestId } = nameOf(history.identity)
    const found = [
      ...brokenCopies(history),
      ...brokenMails(history, world),
      ...history.asked.flatMap(asked => {
        const calls = callbacks.get(asked.number)?.length ?? 0
        return [...brokenAnswer(asked, history, world), ...brokenCalls(asked, calls, world)].map(
          text => `record ${asked.number} ${text}`,
        )
      }),
    ]
    return found.map(text => `${source} ${requestId}: ${text}`)
  })
}

/** Copies have the same `requestedAt`: of them one is mailed, whenever they come. */
function brokenCopies({ asked }: RequestHistory): string[] {
  const copies = Map.groupBy(asked, each => each.request.requestedAt)
  return [...copies.values()].flatMap(each => {
    const accepted = each.reduce((sum, { accepted: times }) => sum + times, 0)
    return accepted > 1 ? [`copies were accepted ${accepted} times`] : []
  })
}

function brokenMails(
  { identity, asked }: RequestHistory,
  { relay, inDoubt }: EmailWorld,
): string[] {
  const ids = [...(relay.messageIds.get(identity) ?? [])]
  const accepted = asked.filter(each => each.accepted > 0)
  const resent = accepted.some(({ request }) =>
    request.inDoubt === 'DEFAULT' ? inDoubt === 'resend' : request.inDoubt === 'RESEND',
  )
  const broken = ids.length > accepted.length ? [`mailed as ${ids.join(' and ')}`] : []
  if (resent) return broken
  const addresses = new Set(accepted.flatMap(({ request }) => recipientsOf(request)))
  for (const id of ids)
    for (const address of addresses)
      if (relay.timesTaken(id, address) > 1) broken.push(`${address} got ${id} more than once`)
  return broken
}

function brokenAnswer(asked: Asked, history: RequestHistory, world: EmailWorld): string[] {
  const reasons = asked.ends.map(reasonOf)
  // Read again, what has become too old meanwhile is told so.
  const counted = world.offsetsSetBack ? reasons.filter(each => each !== 'TOO_OLD') : reasons
  const revised = counted.length === 2 && counted.filter(each => each === 'IN_DOUBT').length === 1
  if (counted.length > 1 && !revised) return [`ended ${counted.join(', ')}`]
  if (reasons.length > 0) return []
  const others = history.asked.filter(each => each !== asked)
  const isRepeat = others.some(
    each =>
      (each.accepted > 0 || each.ends.some(end => !isOfRecord(end))) &&
      sameContent(each.request, asked.request),
  )
  return isRepeat ? [] : ['never ended']
}

function brokenCalls(asked: Asked, calls: number, { offsetsSetBack }: EmailWorld): string[] {
  const expected = asked.request.callback === null ? 0 : Math.max(1, asked.ends.length)
  const right = offsetsSetBack && expected > 0 ? calls >= 1 : calls === expected
  return right ? [] : [`got ${calls} callbacks instead of ${expected}`]
}
