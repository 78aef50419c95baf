import type { EmailRequested } from '../../../src/email/records.ts'
import type { Random } from '../../../src/random.ts'
import { emailRequested } from '../email-requests.ts'

/** Where a request is written to; left out, Kafka's own partitioner decides by the request id. */
export interface Placement {
  readonly partition?: number
  readonly key?: Buffer | null
}

/** As `topics create` makes them. */
export const partitions = 6

export interface PlannedRecord {
  readonly request: EmailRequested
  readonly placement: Placement
}

/** One request of a load, and how often it is asked for. */
export interface PlannedRequest extends PlannedRecord {
  /** Of the same content, each written wherever it says. */
  readonly duplicates: readonly PlannedRecord[]
}

const callback = { context: { order: '4711' }, url: null }

/**
 * Requests to one recipient each, whose address is their id: a tenth of them are asked for twice, half of all ask for a
 * callback, and a fifth is written where a careless or foreign client would write it.
 */
export function planLoad(name: string, count: number, random: Random): readonly PlannedRequest[] {
  const prefix = `${name}-${Date.now().toString(36)}`
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
    const duplicate = (): PlannedRecord => ({
      request: { ...request, callback: maybeCallback(), requestedAt: Date.now() },
      placement: placement(),
    })
    return { request, placement: placement(), duplicates: chance(0.1) ? [duplicate()] : [] }
  })
}

/** The requests, and after all of them their duplicates. */
export function recordsOf(planned: readonly PlannedRequest[]): readonly PlannedRecord[] {
  return [...planned, ...planned.flatMap(each => each.duplicates)]
}

export function addressOf(requestId: string): string {
  return `${requestId}@example.com`
}
