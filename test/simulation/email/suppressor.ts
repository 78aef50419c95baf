import { topicNames } from '../../../src/email/topic-names.ts'
import { suppressionKey, suppressionList } from '../../../src/email/suppression.ts'
import { emailTopics } from '../../../src/email/topics.ts'
import { type Random, seededRandom } from '../../../src/random.ts'
import { partitionForKey } from '../../../src/topology/partitioner.ts'
import { plainSerdes } from '../../support/email-flow.ts'
import { partitions } from './business-systems.ts'
import type { EmailWorld } from './email-world.ts'
import type { RequestHistory } from './request-histories.ts'

const list = suppressionList(emailTopics(plainSerdes, 1).suppressed)
const addresses = ['person-0@example.org', 'person-1@example.org', 'person-2@example.org']

/** Somebody who puts addresses on the list amid the chaos, and remembers from which record on everybody knew. */
export class Suppressor {
  readonly #random: Random
  /** Written, and not yet known to everybody. */
  readonly #told = new Set<string>()
  /** Number of the first record that was written when everybody knew. */
  readonly #knownFrom = new Map<string, number>()

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  readonly act = (world: EmailWorld): void => {
    for (const address of this.#told) {
      if (!everybodyKnows(world, address)) continue
      this.#told.delete(address)
      this.#knownFrom.set(address, world.business.published.length)
    }
    if (this.#random.next() < 0.15) {
      // Who reads the list last reads it long after everything else.
      const partition = Math.floor(this.#random.next() * partitions)
      const place = `${topicNames.suppressed}/${partition}`
      world.simulation.faults.outage(place, this.#random.next() * 30_000)
    }
    if (this.#random.next() > 0.15) return
    const address = addresses[Math.floor(this.#random.next() * addresses.length)]!
    if (this.#told.has(address) || this.#knownFrom.has(address)) return
    suppress(world, address)
    this.#told.add(address)
  }

  /** Addresses that everybody knew of at some time. */
  get known(): number {
    return this.#knownFrom.size
  }

  /** Who asked for a mail when everybody knew asked in vain. */
  broken(histories: readonly RequestHistory[], world: EmailWorld): string[] {
    return histories.flatMap(({ identity, original }) =>
      [...this.#knownFrom].flatMap(([address, from]) =>
        original !== undefined &&
        original.number >= from &&
        world.relay.timesTaken(identity, address) > 0
          ? [
              `record ${original.number}: ${address} was suppressed from record ${from} on and got it`,
            ]
          : [],
      ),
    )
  }
}

/** A machine that is down reads the whole list when it starts; one that still reads it may have asked for the end before. */
function everybodyKnows({ machines }: EmailWorld, address: string): boolean {
  return machines.every(machine => {
    if (!machine.isUp) return true
    const streams = machine.streams
    if (streams === undefined || streams.tablesWaitedFor.length > 0) return false
    return streams.table(list).get(suppressionKey(address)) !== undefined
  })
}

function suppress({ simulation }: EmailWorld, address: string): void {
  const key = Buffer.from(suppressionKey(address))
  const at = simulation.clock.nowMs()
  simulation.broker.append([
    {
      topic: topicNames.suppressed,
      partition: partitionForKey(key, partitions),
      key,
      value: plainSerdes.suppressed.serialize({
        address,
        reason: 'MANUAL',
        detail: '',
        source: 'test',
        at,
      }),
      headers: [],
      timestampMs: at,
    },
  ])
}
