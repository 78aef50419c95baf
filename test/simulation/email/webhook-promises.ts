import { webhookRequestSerde } from '../../../src/email/webhook-event.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { applicationId } from './email-machine.ts'
import type { EmailWorld } from './email-world.ts'

const webhooksTopic = `${applicationId}-webhooks-repartition`

/** Every callback with a URL arrives, at least once and always the same, or is a dead letter; nothing else arrives. */
export function brokenWebhookPromises(world: EmailWorld): string[] {
  const { receiver, business } = world
  const broken: string[] = []
  const callbacks = new Map(world.callbacks().map(each => [each.eventId, each]))
  const dead = deadEvents(world)
  for (const [eventId, callback] of callbacks) {
    const asked = business.published[Number(callback.context['number'])]?.request
    if ((asked?.callback?.url ?? null) === null) continue
    const arrived = receiver.taken.has(eventId)
    const name = `${callback.requestId} ${callback.outcome} ${eventId}`
    if (!arrived && !dead.has(eventId)) broken.push(`${name}: the webhook was lost`)
  }
  for (const [eventId, bodies] of receiver.seen) {
    const callback = callbacks.get(eventId)
    if (bodies.size > 1) broken.push(`${eventId}: ${bodies.size} different bodies`)
    if (callback === undefined) broken.push(`${eventId}: a webhook of no callback`)
    const { data } = JSON.parse([...bodies][0]!) as { data: unknown }
    if (callback && JSON.stringify(data) !== JSON.stringify(callback))
      broken.push(`${eventId}: the webhook says something else than the callback`)
  }
  return broken
}

/** Whether a dead letter is a webhook's. */
export function isOfWebhooks(place: string): boolean {
  return place.startsWith(`${webhooksTopic}/`)
}

function deadEvents(world: EmailWorld): ReadonlySet<string> {
  const letters = world
    .committed(topicNames.deadLetter)
    .filter(({ headers }) =>
      headers.some(({ key, value }) => key === 'source.topic' && String(value) === webhooksTopic),
    )
  return new Set(letters.map(({ value }) => webhookRequestSerde.deserialize(value!).eventId))
}
