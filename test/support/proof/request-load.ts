import type { EmailRequested } from '../../../src/email/records.ts'
import type { Random } from '../../../src/random.ts'
import { emailRequested } from '../email-requests.ts'
import { partitions, type Placement } from './proof-world.ts'

/** One request of a load, and how often it is asked for. */
export interface PlannedRequest {
  readonly request: EmailRequested
  readonly placement: Placement
  /** Of the same content, each written wherever it says. */
  readonly duplicates: readonly PlannedDuplicate[]
}

interface PlannedDuplicate {
  readonly request: EmailRequested
  readonly placement: Placement
}

const callback = { context: { order: '4711' }, url: null }

/**
 * Requests to one recipient each, whose address is their id: a tenth of them are asked for twice, half of all ask for a
 * callback, and a fifth is written where a careless or foreign client would write it.
 */
export function planLoad(prefix: string, count: number, random: Random): readonly PlannedRequest[] {
  const chance = (share: number): boolean => random.next() < share
  const maybeCallback = (): EmailRequested['callback'] => (chance(0.5) ? callback : null)
  const placement = (): Placement => {
    if (chance(0.8)) return {}
    const partition = Math.floor(random.next() * partitions)
    return chance(0.5)
      ? { partition }
      : { partition, key: chance(0.5) ? null : Buffer.from('other') }
  }
  return Array.from({ length: count }, (_, index) => {
    const requestId = `${prefix}-${index}`
    const request = emailRequested({
      requestId,
      to: [addressOf(requestId)],
      callback: maybeCallback(),
      requestedAt: Date.now(),
    })
    const duplicate = (): PlannedDuplicate => ({
      request: { ...request, callback: maybeCallback(), requestedAt: Date.now() },
      placement: placement(),
    })
    return { request, placement: placement(), duplicates: chance(0.1) ? [duplicate()] : [] }
  })
}

export function addressOf(requestId: string): string {
  return `${requestId}@example.com`
}
