import type { Delivery } from '../../../src/effects/delivery.ts'
import { nameOf } from '../../../src/email/identity.ts'
import { retryDelaysMs } from './email-machine.ts'
import type { MailRelay } from './mail-relay.ts'

const horizonMs = retryDelaysMs.reduce((sum, delayMs) => sum + delayMs, 0)

/** Who was told when to ask again asks no earlier, unless the schedule would be over by then. */
export function brokenRetryPromises(
  { plan, targets, firstTryMs }: Delivery,
  relay: MailRelay,
): string[] {
  const { source, requestId } = nameOf(plan.identity)
  return targets.flatMap(({ target, status, reply, dueMs }) => {
    const toldMs = relay.told.get(reply)
    if (status !== 'pending' || toldMs === undefined) return []
    const earliestMs = Math.min(toldMs, (firstTryMs ?? 0) + horizonMs)
    return (dueMs ?? 0) >= earliestMs - 1
      ? []
      : [`${source} ${requestId}: ${target} is asked ${earliestMs - (dueMs ?? 0)} ms too early`]
  })
}
