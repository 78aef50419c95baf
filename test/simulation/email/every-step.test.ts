import { expect, test } from 'vitest'
import { brokenAtAnyStep } from './every-step.ts'
import type { TroubleRates } from './mail-relay.ts'

test.each<{ relay: string; rates: TroubleRates; every: number }>([
  { relay: 'answers', rates: {}, every: 1 },
  { relay: 'takes the mail and closes', rates: { 'dot-drop-after-taking': 1 }, every: 2 },
  { relay: 'takes one recipient at a time', rates: { 'rcpt-too-many': 1 }, every: 2 },
  { relay: 'closes and takes nothing', rates: { 'dot-drop-before-taking': 1 }, every: 2 },
])(
  'killed at each of its steps (one of $every), while the relay $relay',
  async ({ rates, every }) => {
    const broken = await brokenAtAnyStep(world => world.machines[0]!.kill(), { rates, every })

    expect(broken).toEqual([])
  },
)

test.each(['awake', 'suspended'] as const)(
  'paused at each of its steps until another has taken over: machine %s',
  async machine => {
    const broken = await brokenAtAnyStep(
      async world => {
        const [first, second] = world.machines
        first!.pause(machine)
        second!.start()
        await world.simulation.run({ withinMs: 20_000 })
      },
      { rates: { 'dot-late-250': 0.5 }, every: 2 },
    )

    expect(broken).toEqual([])
  },
)
