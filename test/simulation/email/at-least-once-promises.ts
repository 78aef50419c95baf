import { nameOf } from '../../../src/email/identity.ts'
import { recipientsOf } from '../../../src/email/recipients.ts'
import type { EmailCallback } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { placeOf } from './dead-letter-promises.ts'
import type { EmailWorld } from './email-world.ts'
import {
  type Asked,
  isOfRecord,
  reasonOf,
  type RequestHistory,
  requestHistories,
} from './request-histories.ts'

/** Whether some life of this world may have worked without transactions. */
export function isAtLeastOnce({ guarantee }: EmailWorld): boolean {
  return guarantee !== 'exactly-once'
}

/** What holds without transactions: everything ends and everybody is told, at least once, and nothing is said that never was. */
export function brokenAtLeastOncePromises(world: EmailWorld): string[] {
  const calls = Map.groupBy(world.callbacks(), each => Number(each.context['number']))
  return [
    ...requestHistories(world).flatMap(history => {
      const { source, requestId } = nameOf(history.identity)
      const found = [
        ...brokenIdentity(history, world),
        ...history.asked.flatMap(asked =>
          brokenAsked(asked, calls.get(asked.number) ?? []).map(
            text => `record ${asked.number} ${text}`,
          ),
        ),
      ]
      return found.map(text => `${source} ${requestId}: ${text}`)
    }),
    ...brokenLetters(world),
  ]
}

/** Who takes the identity is accepted or refused for good; what is accepted ends; what is said to be sent was taken by the relay. */
function brokenIdentity({ identity, asked }: RequestHistory, { relay }: EmailWorld): string[] {
  const broken: string[] = []
  const isTaken = asked.some(each => each.accepted > 0 || each.ends.some(end => !isOfRecord(end)))
  if (!isTaken && !asked.every(each => each.old)) broken.push('lost before it was accepted')
  const accepted = asked.filter(each => each.accepted > 0)
  const ends = accepted.flatMap(each => each.ends).filter(end => !isOfRecord(end))
  if (accepted.length > 0 && ends.length === 0) broken.push('accepted, and never ended')
  for (const { recipients } of ends)
    for (const { address, status } of recipients)
      if (status === 'ACCEPTED' && relay.timesTaken(identity, address) === 0)
        broken.push(`${address} is ACCEPTED and never got it`)
  const known = new Set(accepted.flatMap(({ request }) => recipientsOf(request)))
  if ((relay.messageIds.get(identity)?.size ?? 0) > 0 && known.size === 0)
    broken.push('mailed, and never accepted')
  return broken
}

/** Whoever asks for a callback gets one, and no record is left without an answer that concerns it. */
function brokenAsked(asked: Asked, calls: readonly EmailCallback[]): string[] {
  const { request, old, ends } = asked
  const broken: string[] = []
  if (request.callback === null && calls.length > 0) broken.push('did not ask, and was told')
  if (request.callback !== null && calls.length === 0) broken.push('asked, and was told nothing')
  if (ends.map(reasonOf).includes('TOO_OLD') && !old && asked.accepted === 0)
    broken.push('is TOO_OLD, which it is not')
  return broken
}

function brokenLetters(world: EmailWorld): string[] {
  const letters = Map.groupBy(world.committed(topicNames.deadLetter), placeOf)
  return world.business.published.flatMap(({ request, value, partition, offset }) => {
    const place = `${topicNames.requested}/${partition}/${offset}`
    const found = letters.get(place) ?? []
    if (request !== undefined)
      return found.length > 0 ? [`${place}: put aside, but it decodes`] : []
    const isWhole = found.every(each =>
      value === null ? each.value === null : each.value?.equals(value) === true,
    )
    return found.length > 0 && isWhole ? [] : [`${place}: ${found.length} dead letters`]
  })
}
