import type { EmailRequested } from '../../src/email/records.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import type { ProducedRecord } from '../../src/runtime/ports.ts'
import { emailRequested } from '../support/email-requests.ts'
import type { BenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'

/** The k-th of requests that differ in nothing but their ids, which are spread over the keys as ids of many systems are. */
export function knownRequest(number: number, requestedAt: number): EmailRequested {
  return emailRequested({
    requestId: `${scattered(number)}-${String(number).padStart(10, '0')}`,
    source: 'bench',
    to: ['user@example.com'],
    subject: 'Your order has shipped',
    text: 'Your order has been shipped.',
    requestedAt,
  })
}

/** `to` says whom to; nobody: its identity is taken, and it ends as INVALID, without a mail. */
export function knownRequestRecord(
  world: BenchWorld,
  number: number,
  to?: readonly string[],
): ProducedRecord {
  const nowMs = Date.now()
  const known = knownRequest(number, nowMs)
  const request = to === undefined ? known : { ...known, to: [...to] }
  const key = Buffer.from(request.requestId)
  return {
    topic: 'email.requested',
    partition: partitionForKey(key, partitions),
    key,
    value: world.serdes.requested.serialize(request),
    headers: [],
    timestampMs: nowMs,
  }
}

/** Eight hexadecimal digits that say nothing of the order in which they were made. */
function scattered(number: number): string {
  return (Math.imul(number, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
}
