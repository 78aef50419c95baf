import { type EffectCommand, effectCommandSerde } from '../../../src/effects/outbox.ts'
import { identityOf } from '../../../src/email/identity.ts'
import type { EmailFailed } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { type Random, seededRandom } from '../../../src/random.ts'
import { partitionForKey } from '../../../src/topology/partitioner.ts'
import { plainSerdes } from '../../support/email-flow.ts'
import { partitions } from './business-systems.ts'
import { applicationId } from './email-machine.ts'
import type { EmailWorld } from './email-world.ts'

const hangsUp = { 'dot-drop-before-taking': 0.2, 'dot-drop-after-taking': 0.15 }
const topic = `${applicationId}-send-commands`

/**
 * People who take requests back, and who look into the relay's log and tell the truth about what is in doubt: some of them
 * twice, because nothing seemed to happen. Their chance is their own, so that the rest of the world stays as it is.
 */
export class Operators {
  readonly #random: Random

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  readonly act = (world: EmailWorld): void => {
    // Else hardly anything would be in doubt.
    world.relay.rates = { ...world.relay.rates, ...hangsUp }
    if (world.simulation.broker.topic(topic) === undefined) return
    if (this.#random.next() < 0.2) this.#cancel(world)
    for (const { value } of world.committed(topicNames.failed)) {
      const end = plainSerdes.failed.deserialize(value!)
      if (end.reason === 'IN_DOUBT' && this.#random.next() < 0.4) this.#resolve(world, end)
    }
  }

  #cancel(world: EmailWorld): void {
    const known = world.business.published.flatMap(each => each.request ?? [])
    const request = known[Math.floor(this.#random.next() * known.length)]
    if (request === undefined) return
    const atMs = world.simulation.clock.nowMs()
    const decision = { kind: 'cancel', by: 'ann', why: '', atMs } as const
    write(world, request.requestId, { kind: 'cancel', identity: identityOf(request), decision })
  }

  #resolve(world: EmailWorld, end: EmailFailed): void {
    const identity = identityOf(end)
    const doubted = end.recipients.filter(each => each.status === 'UNKNOWN')
    const taken = doubted.filter(each => world.relay.timesTaken(identity, each.address) > 0)
    // One word for all of them: where it would be a lie about some, nothing is said.
    if (taken.length > 0 && taken.length < doubted.length) return
    const kind = taken.length > 0 ? 'sent' : this.#random.next() < 0.65 ? 'fail' : 'resend'
    const atMs = world.simulation.clock.nowMs()
    const decision = { kind, by: 'ann', why: '', atMs } as const
    const command: EffectCommand = { kind: 'resolve', identity, endedAtMs: end.failedAt, decision }
    write(world, end.requestId, command)
    if (this.#random.next() < 0.5) write(world, end.requestId, command)
  }
}

function write({ simulation }: EmailWorld, requestId: string, command: EffectCommand): void {
  const key = Buffer.from(requestId)
  simulation.broker.append([
    {
      topic,
      partition: partitionForKey(key, partitions),
      key,
      value: effectCommandSerde.serialize(command),
      headers: [],
      timestampMs: simulation.clock.nowMs(),
    },
  ])
}
