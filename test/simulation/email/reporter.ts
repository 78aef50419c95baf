import { nameOf } from '../../../src/email/identity.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { type Random, seededRandom } from '../../../src/random.ts'
import { bounceMessage } from '../../support/bounce-message.ts'
import { partitions } from './business-systems.ts'
import { envelopeIds } from './email-machine.ts'
import type { EmailWorld } from './email-world.ts'
import { lastEnd, type RequestHistory } from './request-histories.ts'

/** A relay that finds out later that it cannot deliver, and says so: often twice, sometimes by the Message-ID alone. */
export class Reporter {
  readonly #random: Random
  /** By identity and address. */
  readonly #reported = new Set<string>()

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  readonly act = (world: EmailWorld): void => {
    const taken = [...world.relay.taken.keys()].filter(key => !key.startsWith('<'))
    const key = taken[Math.floor(this.#random.next() * taken.length)]
    if (key === undefined || this.#random.next() < 0.3) return
    this.#report(world, key)
    if (this.#random.next() < 0.4) this.#report(world, key)
  }

  /** Whoever asked is told once for each recipient that came back; nobody else is told. */
  broken(histories: readonly RequestHistory[], world: EmailWorld): string[] {
    const bounced = world.callbacks().filter(({ outcome }) => outcome === 'BOUNCED')
    return histories.flatMap(({ identity, original, ends }) => {
      const { source, requestId } = nameOf(identity)
      const own = bounced.filter(each => each.source === source && each.requestId === requestId)
      const told = own.map(({ detail }) => detail.split(/[ :]/)[1] ?? '').toSorted()
      const expected = (lastEnd(ends)?.recipients ?? [])
        .map(({ address }) => address)
        .filter(address => this.#reported.has(`${identity} ${address}`))
        .toSorted()
      const wanted = original?.request.callback ? expected : []
      return told.join() === wanted.join()
        ? []
        : [`${source} ${requestId}: told that ${told.join()} came back, not ${wanted.join()}`]
    })
  }

  get reported(): number {
    return this.#reported.size
  }

  #report({ simulation, relay }: EmailWorld, key: string): void {
    const at = key.lastIndexOf(' ')
    const [identity, address] = [key.slice(0, at), key.slice(at + 1)]
    const recipients = [
      { 'Final-Recipient': `rfc822;${address}`, Action: 'failed', Status: '5.1.1' },
    ]
    const [messageId = ''] = relay.messageIds.get(identity) ?? []
    // By the Message-ID only what has been reported by its name: that may come before anybody knows whose it is.
    const isNameless = this.#reported.has(key) && this.#random.next() < 0.3
    const envelopeId = isNameless ? null : envelopeIds.of(nameOf(identity))
    const message = bounceMessage({ envelopeId, recipients })
      .toString()
      .replace('<original-1@example.com>', messageId)
    this.#reported.add(key)
    simulation.broker.append([
      {
        topic: topicNames.bounces,
        partition: Math.floor(this.#random.next() * partitions),
        key: null,
        value: Buffer.from(message),
        headers: [],
        timestampMs: simulation.clock.nowMs(),
      },
    ])
  }
}
