import type { Delivery } from './delivery.ts'
import type { EffectDefinition } from './effect.ts'
import type { EngineOptions } from './engine-options.ts'
import { endedKey } from './outbox.ts'
import { isSameRequest } from './same-request.ts'

interface LeftoverOptions extends Pick<EngineOptions<never>, 'store'> {
  readonly definition: Pick<EffectDefinition<never>, 'samePlace'>
}

/**
 * Keys of open requests that have ended: where a cycle is no transaction, the end may be in the changelog without the deletion that belongs
 * to it. An end that is not in doubt is never taken back, so that one is right. The owner before may have worked without transactions
 * whatever this one does, so everybody looks: some microseconds for each open request, at the start.
 */
export async function leftoversOf(
  { definition, store }: LeftoverOptions,
  open: readonly (readonly [key: string, delivery: Delivery])[],
): Promise<ReadonlySet<string>> {
  const ended = await store.read(open.map(([, { plan }]) => endedKey(plan.identity)))
  return new Set(
    open.flatMap(([key, each], index) => (isOver(definition, each, ended[index]) ? [key] : [])),
  )
}

function isOver(
  definition: LeftoverOptions['definition'],
  open: Delivery,
  ended: Delivery | undefined,
): boolean {
  return (
    ended?.state.kind === 'ended' &&
    ended.state.end !== 'in-doubt' &&
    isSameRequest(definition, open, ended)
  )
}
