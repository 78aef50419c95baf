import type { Guarantee } from '../../src/runtime/committer.ts'
import { openBenchWorld } from './bench-world.ts'
import { compared, load, ours } from './dedup-stage.ts'
import type { Scenario } from './scenario.ts'

const guarantees: readonly Guarantee[] = ['exactly-once', 'at-least-once']

/** What exactly once costs: the dedup stage with transactions and without, in turns. */
export const dedupAtLeastOnce: Scenario = {
  name: 'dedup-at-least-once',
  what: 'dedup stage, one worker: exactly once against at least once',
  open: async options => {
    await using resources = new AsyncDisposableStack()
    const world = resources.use(await openBenchWorld())
    const different = await load(world, options)
    const contenders = guarantees.map(guarantee => ({
      name: guarantee,
      run: () => ours(world, options, different, { guarantee }),
    }))
    const parts = resources.move()
    return { contenders, compared, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  },
}
