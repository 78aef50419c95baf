import { expect, test } from 'vitest'
import { emailRequested } from '../../support/email-requests.ts'
import { comeToRest } from './come-to-rest.ts'
import { EmailWorld } from './email-world.ts'
import type { TroubleRates } from './mail-relay.ts'
import { brokenPromises } from './promises.ts'

/** Two mails for three people, a repeat and a contradiction, on the first machine. */
function smallWorld(rates: TroubleRates): EmailWorld {
  const world = new EmailWorld({ seed: 1, inDoubt: 'hold' })
  const { business, relay, machines, simulation } = world
  const requestedAt = simulation.clock.nowMs()
  const ask = (requestId: string, number: number, subject = 'A'): void =>
    business.write(
      emailRequested({
        requestId,
        subject,
        to: ['person-0@example.org', 'person-1@example.org'].slice(0, requestId === 'r-1' ? 2 : 1),
        callback: { context: { number: String(number) }, url: null },
        requestedAt,
      }),
    )
  ask('r-1', 0)
  ask('r-2', 1)
  ask('r-1', 2)
  ask('r-2', 3, 'B')
  relay.rates = rates
  machines[0]!.start()
  return world
}

/** The steps until everything has ended, when nothing breaks. */
async function stepsOf(rates: TroubleRates): Promise<number> {
  const world = smallWorld(rates)
  await world.simulation.run({ until: () => world.callbacks().length >= 4, withinMs: 60_000 })
  return world.simulation.scheduler.steps
}

async function brokenAfter(
  disturb: (world: EmailWorld) => Promise<void> | void,
  rates: TroubleRates,
): Promise<string[]> {
  const broken: string[] = []
  const steps = await stepsOf(rates)
  for (let step = 1; step <= steps; step += 1) {
    const world = smallWorld(rates)
    await world.simulation.run({ stepsMax: step })
    await disturb(world)
    await comeToRest(world)
    const found = await brokenPromises(world)
    if (found.length > 0) broken.push(`at step ${step} of ${steps}: ${found.join('; ')}`)
  }
  return broken
}

test.each<{ relay: string; rates: TroubleRates }>([
  { relay: 'answers', rates: {} },
  { relay: 'takes the mail and closes', rates: { 'dot-drop-after-taking': 1 } },
  { relay: 'takes one recipient at a time', rates: { 'rcpt-too-many': 1 } },
  { relay: 'closes and takes nothing', rates: { 'dot-drop-before-taking': 1 } },
])('killed at each of its steps, while the relay $relay', async ({ rates }) => {
  const broken = await brokenAfter(world => world.machines[0]!.kill(), rates)

  expect(broken).toEqual([])
})

test.each(['awake', 'suspended'] as const)(
  'paused at each of its steps until another has taken over: machine %s',
  async machine => {
    const broken = await brokenAfter(
      async world => {
        const [first, second] = world.machines
        first!.pause(machine)
        second!.start()
        await world.simulation.run({ withinMs: 20_000 })
      },
      { 'dot-late-250': 0.5 },
    )

    expect(broken).toEqual([])
  },
)
