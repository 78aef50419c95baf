import { expect, test } from 'vitest'
import type { EmailWorld } from './email-world.ts'
import { brokenAtAnyStep } from './every-step.ts'

const guarantee = 'at-least-once'

test.each([
  { relay: 'answers', rates: {}, every: 1 },
  { relay: 'takes the mail and closes', rates: { 'dot-drop-after-taking': 1 }, every: 3 },
])(
  'killed at each of its steps without transactions, while the relay $relay',
  async ({ rates, every }) => {
    const kill = (world: EmailWorld): void => world.machines[0]!.kill()

    expect(await brokenAtAnyStep(kill, { rates, guarantee, every })).toEqual([])
  },
)

test('paused at each of its steps without transactions until another has taken over', async () => {
  const pause = async ({ machines, simulation }: EmailWorld): Promise<void> => {
    machines[0]!.pause('awake')
    machines[1]!.start()
    await simulation.run({ withinMs: 20_000 })
  }

  const broken = await brokenAtAnyStep(pause, {
    rates: { 'dot-late-250': 0.5 },
    guarantee,
    every: 3,
  })

  expect(broken).toEqual([])
})
