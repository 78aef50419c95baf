import { topicNames } from '../../../src/email/topic-names.ts'
import type { ConsumedRecord } from '../../../src/runtime/ports.ts'
import type { EmailWorld } from './email-world.ts'
import { isOfWebhooks } from './webhook-promises.ts'

/** What cannot be decoded is put aside, untouched, with its place; nothing else is. */
export function brokenDeadLetterPromises(world: EmailWorld): string[] {
  const broken: string[] = []
  const letters = Map.groupBy(world.committed(topicNames.deadLetter), placeOf)
  for (const { request, value, partition, offset } of world.business.published) {
    const place = `${topicNames.requested}/${partition}/${offset}`
    const found = letters.get(place) ?? []
    letters.delete(place)
    const count = request === undefined ? 1 : 0
    // Read again, it cannot be decoded again.
    const right = world.offsetsSetBack && count > 0 ? found.length > 0 : found.length === count
    if (!right) broken.push(`${place}: ${found.length} dead letters instead of ${count}`)
    const untouched = (each: ConsumedRecord): boolean =>
      value === null ? each.value === null : each.value?.equals(value) === true
    if (!found.every(untouched)) broken.push(`${place}: another dead letter than what was written`)
  }
  for (const place of letters.keys())
    if (!isOfWebhooks(place)) broken.push(`${place}: a dead letter of something else`)
  return broken
}

export function placeOf({ headers }: ConsumedRecord): string {
  const header = (name: string): string =>
    headers.find(each => each.key === name)?.value?.toString() ?? ''
  return ['source.topic', 'source.partition', 'source.offset'].map(header).join('/')
}
