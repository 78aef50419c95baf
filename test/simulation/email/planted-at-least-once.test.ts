import { expect, test } from 'vitest'
import { liveThrough } from './chaos.ts'
import { atLeastOnceBugs } from './planted/at-least-once-bugs.ts'
import { brokenPromises } from './promises.ts'

const seedsMax = 300

test.each(atLeastOnceBugs)('noticed: $bug', async ({ alteration }) => {
  let broken: string[] = []

  for (let seed = 1; seed <= seedsMax && broken.length === 0; seed += 1) {
    const world = await liveThrough(seed, { alteration, guarantee: 'at-least-once' })
    broken = (await brokenPromises(world)).map(each => `seed ${seed}: ${each}`)
  }

  expect(broken).not.toEqual([])
})
