import { expect, test } from 'vitest'
import { errorCodeOf } from '../../../src/errors.ts'
import { StoreHolders } from '../../../src/testing/store-holders.ts'
import type { EmailWorld } from './email-world.ts'
import { brokenAtAnyStep, type SmallLife } from './every-step.ts'
import { replaced } from './planted/replaced.ts'

/** A life in which the second and the third machine are two threads of one process. */
const twoThreads: SmallLife = {
  rates: { 'dot-late-250': 0.5 },
  seed: 2,
  starts: [1, 2],
  every: 3,
}

async function pauseOne({ machines, simulation }: EmailWorld): Promise<void> {
  machines[1]!.pause('awake')
  await simulation.run({ withinMs: 20_000 })
}

test('one of two threads dies at any of its steps, and the other goes on with its stores', async () => {
  const broken = await brokenAtAnyStep(async ({ machines, simulation }) => {
    machines[1]!.kill()
    await simulation.run({ withinMs: 20_000 })
  }, twoThreads)

  expect(broken).toEqual([])
})

test('one of two threads stands still at any of its steps, until the group has gone on without it', async () => {
  const broken = await brokenAtAnyStep(pauseOne, twoThreads)

  expect(broken).toEqual([])
})

test('noticed: a thread opens a store that another one still writes', async () => {
  const takeOut = replaced(StoreHolders.prototype, 'take', function (take, path, process) {
    try {
      take.call(this, path, process)
    } catch (error) {
      if (errorCodeOf(error) !== 'STORE_IN_USE') throw error
    }
  })

  const broken = await brokenAtAnyStep(pauseOne, { ...twoThreads, untilBroken: true })

  takeOut()
  expect(broken).not.toEqual([])
})
