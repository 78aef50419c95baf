import { expect, test } from 'vitest'
import { liveThrough } from './chaos.ts'
import { brokenPromises } from './promises.ts'

const only = process.env['SEED']
const count = Math.ceil(Number(process.env['SEEDS'] ?? 2000) / 10)
const start = Number(process.env['SEED_START'] ?? 1)

test('identities that are forgotten while everything breaks are never mailed from a copy', async () => {
  const seeds = only ? [Number(only)] : Array.from({ length: count }, (_, index) => start + index)
  const failures: string[] = []

  for (const seed of seeds) {
    const broken = await brokenPromises(await liveThrough(seed, { windowMs: 20_000 }))
    failures.push(...broken.map(each => `seed ${seed}: ${each}`))
  }

  expect(failures).toEqual([])
})
