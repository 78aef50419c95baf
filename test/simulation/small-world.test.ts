import { expect, test } from 'vitest'
import { brokenPromises, liveThrough } from './chaos.ts'
import { SmallWorld } from './small-world.ts'

test('requests reach the relay once and end once', async () => {
  const world = new SmallWorld(1)
  for (let index = 0; index < 20; index += 1) world.publish(`r${index % 15}`)

  world.start('a')
  await world.simulation.run({
    until: () => world.committed('ends').length >= 15,
    withinMs: 60_000,
  })

  expect(world.failures).toEqual([])
  expect([...world.relay.taken.values()]).toEqual(Array.from({ length: 15 }, () => 1))
  expect(world.committed('ends')).toHaveLength(15)
})

const only = process.env['SEED']
const count = Number(process.env['SEEDS'] ?? 50)
const seeds = only ? [Number(only)] : Array.from({ length: count }, (_, index) => index + 1)

test.each(seeds)(
  'seed %i: each request is acted on once and ends once, whatever dies',
  async seed => {
    const inDoubt = seed % 3 === 0 ? 'resend' : 'hold'

    const world = await liveThrough(seed, inDoubt)

    const broken = brokenPromises(world, inDoubt)
    if (only) process.stdout.write(`${String(world.simulation.story)}\n`)
    expect(broken).toEqual([])
  },
)
