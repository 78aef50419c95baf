import { expect, test } from 'vitest'
import type { Guarantee } from '../../../src/runtime/committer.ts'
import { liveThrough } from './chaos.ts'
import { brokenPromises } from './promises.ts'

/** `SEED=17 npx vitest run at-least-once` tells the story of one seed. */
const only = process.env['SEED']
const count = Math.ceil(Number(process.env['SEEDS'] ?? 2000) / 20)
const start = Number(process.env['SEED_START'] ?? 1)

test.each<{ rule: string; guarantee: Guarantee | 'either' }>([
  { rule: 'without transactions', guarantee: 'at-least-once' },
  { rule: 'with transactions in one life and without in the next', guarantee: 'either' },
])('$rule nothing is lost, whatever breaks', async ({ guarantee }) => {
  const seeds = only ? [Number(only)] : Array.from({ length: count }, (_, index) => start + index)
  const failures: string[] = []

  for (const seed of seeds) {
    const world = await liveThrough(seed, { guarantee })
    const broken = await brokenPromises(world)
    failures.push(...broken.map(each => `seed ${seed}: ${each}`))
    if (only && guarantee === (process.env['G'] ?? 'at-least-once'))
      process.stdout.write(`${String(world.simulation.story)}\n`)
  }

  expect(failures).toEqual([])
})
