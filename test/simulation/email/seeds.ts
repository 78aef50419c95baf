import { expect, test } from 'vitest'
import { liveThrough } from './chaos.ts'
import type { EmailWorld } from './email-world.ts'
import { brokenPromises } from './promises.ts'
import { pathsThatMatter } from './paths-that-matter.ts'
import { noteOutcomes } from './reached-outcomes.ts'
import { Reached } from './reached.ts'

/** Replays one seed and tells its story, also of one that passes: `SEED=17 npx vitest run first-seeds`. */
const only = process.env['SEED']
/** For nights: `SEEDS=100000 SEED_START=2001 npx vitest run first-seeds second-seeds --testTimeout=0`. */
const count = Number(process.env['SEEDS'] ?? 2000)
const start = Number(process.env['SEED_START'] ?? 1)

const files = 2
const blockSize = 25

/** This file's share of the seeds: files run side by side. */
export function testSeeds(file: 0 | 1): void {
  const seeds = only
    ? [Number(only)].filter(() => file === 0)
    : Array.from(
        { length: Math.ceil((count - file) / files) },
        (_, index) => start + index * files + file,
      )
  const reached = new Reached()

  for (let at = 0; at < seeds.length; at += blockSize) {
    const block = seeds.slice(at, at + blockSize)
    test(`seeds ${block[0]} to ${block.at(-1)}: every promise holds, whatever breaks`, async () => {
      const failures: string[] = []
      for (const seed of block) {
        const { world, broken } = await tried(seed)
        reached.add(world.reached)
        noteOutcomes(world, reached)
        if (broken.length > 0) failures.push(failure(seed, broken))
        if (only) process.stdout.write(`${String(world.simulation.story)}\n`)
      }
      expect(failures.join('\n')).toBe('')
    })
  }

  test.skipIf(only !== undefined || count < 2000)(
    'the chaos gets to every place that matters',
    () => {
      expect(pathsThatMatter.filter(path => !reached.counts.has(path))).toEqual([])
    },
  )
}

/** A rejection that nobody handles would end a real process: it is a broken promise of the seed. */
async function tried(seed: number): Promise<{ world: EmailWorld; broken: string[] }> {
  const unhandled: string[] = []
  const note = (error: unknown): void => void unhandled.push(`unhandled: ${String(error)}`)
  process.on('unhandledRejection', note)
  try {
    const world = await liveThrough(seed)
    const broken = await brokenPromises(world)
    return { world, broken: [...broken, ...unhandled] }
  } finally {
    process.off('unhandledRejection', note)
  }
}

function failure(seed: number, broken: readonly string[]): string {
  const lines = broken.slice(0, 10).map(each => `  ${each}`)
  const more = only ? [] : [`replay it with: SEED=${seed} npx vitest run first-seeds`]
  return [`seed ${seed} breaks ${broken.length} promises:`, ...lines, ...more].join('\n')
}
