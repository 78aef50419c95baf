import { brokenAtLeastOncePromises, isAtLeastOnce } from './at-least-once-promises.ts'
import { brokenCallbackPromises } from './callback-promises.ts'
import { brokenDeadLetterPromises } from './dead-letter-promises.ts'
import type { EmailWorld } from './email-world.ts'
import { brokenEndPromises } from './end-promises.ts'
import { brokenMailPromises } from './mail-promises.ts'
import { requestHistories } from './request-histories.ts'
import { brokenDiskPromises, brokenStatePromises } from './store-promises.ts'
import { brokenWebhookPromises } from './webhook-promises.ts'
import { brokenWindowPromises, isShort } from './window-promises.ts'

/** What must be true of a world that has come to rest; each broken promise is one line. */
export async function brokenPromises(world: EmailWorld): Promise<string[]> {
  if (isShort(world))
    return [...world.broken, ...brokenWindowPromises(world), ...(await brokenDiskPromises(world))]
  if (isAtLeastOnce(world))
    return [
      ...world.broken,
      ...brokenAtLeastOncePromises(world),
      // Whoever works with transactions does not notice what a zombie without them has written.
      ...(world.guarantee === 'either' ? [] : await brokenDiskPromises(world)),
    ]
  const histories = requestHistories(world)
  return [
    ...world.broken,
    ...histories.flatMap(each => brokenEndPromises(each, world.offsetsSetBack)),
    ...histories.flatMap(each => brokenMailPromises(each, world.relay)),
    ...brokenCallbackPromises(histories, world),
    ...brokenDeadLetterPromises(world),
    ...brokenWebhookPromises(world),
    ...brokenStatePromises(histories, world),
    ...(await brokenDiskPromises(world)),
  ]
}

/** Everything that was asked for has ended, and everybody who asked has been told. */
export function isAtRest(world: EmailWorld): boolean {
  if (isShort(world)) return brokenWindowPromises(world).length === 0
  if (isAtLeastOnce(world)) return brokenAtLeastOncePromises(world).length === 0
  const histories = requestHistories(world)
  const deadLetters = brokenDeadLetterPromises(world)
  return (
    histories.every(each => brokenEndPromises(each, true).length === 0) &&
    deadLetters.length === 0 &&
    brokenWebhookPromises(world).length === 0 &&
    brokenCallbackPromises(histories, world).length === 0
  )
}
