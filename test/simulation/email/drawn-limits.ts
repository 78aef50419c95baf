import { defaultOutboxLimit, type OutboxLimit } from '../../../src/effects/outbox-room.ts'
import { type Limit, noLimits, type TrafficLimits } from '../../../src/effects/traffic.ts'
import { type Random, seededRandom } from '../../../src/random.ts'

export interface DrawnLimits {
  readonly limits: TrafficLimits
  readonly outboxLimit: OutboxLimit
}

/** Half of the seeds have no limits, the others some that are met all the time; a few have a small outbox. */
export function drawnLimits(seed: number): DrawnLimits {
  const random = seededRandom(seed * 7919)
  const isLimited = random.next() < 0.5
  const limits = isLimited
    ? {
        ...noLimits,
        sink: maybe(random, { perSecond: 2 + 20 * random.next() }),
        source: maybe(random, { connections: 1 + Math.floor(random.next() * 2) }),
        destination: limitOf(random),
      }
    : noLimits
  const isSmall = random.next() < 0.25
  const requests = 2 + Math.floor(random.next() * 6)
  return { limits, outboxLimit: isSmall ? { ...defaultOutboxLimit, requests } : defaultOutboxLimit }
}

function limitOf(random: Random): Limit {
  return {
    ...maybe(random, { connections: 1 + Math.floor(random.next() * 2) }),
    ...maybe(random, { perSecond: 0.5 + 10 * random.next() }),
  }
}

function maybe<T extends object>(random: Random, value: T): T | Partial<T> {
  return random.next() < 0.6 ? value : {}
}
