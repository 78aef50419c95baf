import type { Delivery } from './delivery.ts'
import type { EffectDefinition, EffectPlan } from './effect.ts'

/** What tells a request from another one of its identity. */
interface Sighting {
  readonly plan: Pick<EffectPlan, 'firstSeenMs'>
  readonly headers: Delivery['headers']
}

/** Whether two records, or a record and what is stored of one, are one request: it was written twice, or read again. */
export function isSameRequest(
  { samePlace }: Pick<EffectDefinition<never>, 'samePlace'>,
  one: Sighting,
  other: Sighting,
): boolean {
  return (
    one.plan.firstSeenMs === other.plan.firstSeenMs &&
    (samePlace === undefined || samePlace(one.headers, other.headers))
  )
}
