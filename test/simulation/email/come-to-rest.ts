import { noFaults } from '../../../src/testing/fault-injector.ts'
import type { EmailWorld } from './email-world.ts'
import { isAtRest } from './promises.ts'

/** Retries, doubts and time-outs take their time, but not for ever. */
const restMaxMs = 300_000
/** A doubt waits 21 s for late evidence, which may still revise an end; tasks that are handed over meanwhile wait anew. */
const lateEvidenceMs = 45_000

/** Everything heals, and everything that was asked for must end. */
export async function comeToRest(world: EmailWorld): Promise<void> {
  const { simulation, machines, relay } = world
  const { clock, faults, story } = simulation
  story.tell('world', 'everything heals from here on, and everything must end')
  faults.rates = noFaults
  world.atMoment = () => undefined
  relay.heal()
  world.receiver.rates = {}
  for (const machine of machines) {
    machine.disk.full = false
    machine.resume()
  }
  const endMs = clock.monotonicMs() + restMaxMs
  while (clock.monotonicMs() < endMs) {
    // A supervisor starts again what has ended; machines may be lost for good, but not all.
    if (machines.every(each => !each.isUp)) machines[0]!.start()
    await simulation.run({ withinMs: 3000 })
    if (isAtRest(world)) break
  }
  // Machines that were away for long come back, with what their journals know.
  for (const machine of machines)
    if (!machine.isUp && simulation.random.next() < 0.7) machine.start()
  await simulation.run({ withinMs: lateEvidenceMs })
}
