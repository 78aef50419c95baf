import type { Random } from '../../src/random.ts'
import { noFaults } from '../../src/testing/fault-injector.ts'
import { SmallWorld } from './small-world.ts'

const names = ['a', 'b', 'c']
const requestCount = 30

/** What must be true of a world that has come to rest; each broken promise is one line. */
export function brokenPromises(world: SmallWorld, inDoubt: 'hold' | 'resend'): string[] {
  const broken: string[] = []
  const ends = Map.groupBy(world.committed('ends'), each => each.split(' ')[0]!)
  for (const request of world.published) {
    const kinds = (ends.get(request) ?? []).map(each => each.split(' ')[1]!)
    const taken = world.relay.taken.get(request) ?? 0
    const [first, second, ...more] = kinds
    if (first === undefined) broken.push(`${request}: lost`)
    if (more.length > 0 || (second !== undefined && first !== 'in-doubt'))
      broken.push(`${request}: ended ${kinds.join(', ')}`)
    if (taken > 1 && inDoubt === 'hold') broken.push(`${request}: taken ${taken} times`)
    if (kinds.at(-1) === 'done' && taken === 0)
      broken.push(`${request}: said to be done, never taken`)
    // Sent again after a doubt, a request ends by what comes of the last try.
    if (kinds.at(-1) === 'retries-exhausted' && taken > 0 && inDoubt === 'hold')
      broken.push(`${request}: said to be refused, but taken`)
  }
  const unique = world.committed('unique')
  if (unique.length !== new Set(unique).size) broken.push('a repeat went through')
  for (const failure of world.failures) broken.push(`failure: ${String(failure)}`)
  return broken
}

/** One seeded life: kills, pauses, lost disks, lost replies, an unreliable relay; then everything heals and must end. */
export async function liveThrough(seed: number, inDoubt: 'hold' | 'resend'): Promise<SmallWorld> {
  const world = new SmallWorld(seed, inDoubt)
  const { simulation, relay } = world
  const { random } = simulation
  const rate = (max: number): number => (random.next() < 0.5 ? 0 : random.next() * max)
  relay.rates = {
    unreachable: rate(0.3),
    deferred: rate(0.3),
    lostReply: rate(0.2),
    lostDot: rate(0.2),
  }
  simulation.faults.rates = {
    lostRequest: rate(0.03),
    lostReply: rate(0.03),
    slowRequest: rate(0.05),
    slowReply: rate(0.05),
    slowMsMax: 12_000,
  }
  const running = new Set<string>()
  const start = (name: string): void => {
    world.start(name)
    running.add(name)
  }
  start('a')
  for (let step = 0; step < 60; step += 1) {
    for (let index = 0; index < 3; index += 1)
      world.publish(`request-${Math.floor(random.next() * requestCount)}`)
    disturb(world, random, running, start)
    await simulation.run({ withinMs: random.next() * stepMs(random) })
  }
  simulation.faults.rates = noFaults
  relay.rates = { unreachable: 0, deferred: 0, lostReply: 0, lostDot: 0 }
  for (const name of names) world.resume(name)
  if (running.size === 0) start('a')
  await simulation.run({ until: () => isAtRest(world), withinMs: 400_000 })
  // Late evidence may still revise an end.
  await simulation.run({ withinMs: 30_000 })
  return world
}

function disturb(
  world: SmallWorld,
  random: Random,
  running: Set<string>,
  start: (name: string) => void,
): void {
  const name = names[Math.floor(random.next() * names.length)]!
  const what = random.next()
  if (!running.has(name)) {
    if (what < 0.3) world.loseDiskIfAny(name)
    if (what < 0.7) start(name)
  } else if (what < 0.35) {
    world.kill(name)
    running.delete(name)
  } else if (what < 0.5) world.pause(name)
  else if (what < 0.8) world.resume(name)
}

function isAtRest(world: SmallWorld): boolean {
  const ended = new Set(world.committed('ends').map(each => each.split(' ')[0]))
  return [...world.published].every(each => ended.has(each))
}

/** Mostly moments, in which things overlap; sometimes long enough for sessions and transactions to run out. */
function stepMs(random: Random): number {
  const kind = random.next()
  if (kind < 0.6) return 60
  return kind < 0.85 ? 1000 : 15_000
}
