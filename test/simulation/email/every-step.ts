import type { Guarantee } from '../../../src/runtime/committer.ts'
import { emailRequested } from '../../support/email-requests.ts'
import { comeToRest } from './come-to-rest.ts'
import { EmailWorld } from './email-world.ts'
import type { TroubleRates } from './mail-relay.ts'
import { brokenPromises } from './promises.ts'

export interface SmallLife {
  readonly rates: TroubleRates
  /** @default 1 */
  readonly seed?: number
  /** @default exactly-once */
  readonly guarantee?: Guarantee
  /** Which machines run. @default the first */
  readonly starts?: readonly number[]
  /** Only so many of its steps are tried: one of so many. @default 1, every one */
  readonly every?: number
  /** The first that breaks something is enough. @default false */
  readonly untilBroken?: boolean
}

/** Two mails for three people, a repeat and a contradiction. */
function smallWorld({
  rates,
  seed = 1,
  guarantee = 'exactly-once',
  starts = [0],
}: SmallLife): EmailWorld {
  const world = new EmailWorld({ seed, inDoubt: 'hold', guarantee })
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
  for (const index of starts) machines[index]!.start()
  return world
}

/** The steps until everything has ended, when nothing breaks. */
async function stepsOf(life: SmallLife): Promise<number> {
  const world = smallWorld(life)
  await world.simulation.run({ until: () => world.callbacks().length >= 4, withinMs: 60_000 })
  return world.simulation.scheduler.steps
}

/** What is broken when one thing happens, whenever it happens: each step of such a life is tried in a life of its own. */
export async function brokenAtAnyStep(
  disturb: (world: EmailWorld) => Promise<void> | void,
  life: SmallLife,
): Promise<string[]> {
  const broken: string[] = []
  const steps = await stepsOf(life)
  for (let step = 1; step <= steps; step += life.every ?? 1) {
    const world = smallWorld(life)
    await world.simulation.run({ stepsMax: step })
    await disturb(world)
    await comeToRest(world)
    const found = await brokenPromises(world)
    if (found.length > 0) broken.push(`at step ${step} of ${steps}: ${found.join('; ')}`)
    if (found.length > 0 && life.untilBroken === true) break
  }
  return broken
}
