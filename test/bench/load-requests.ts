import { createHash } from 'node:crypto'

import type { EmailRequested } from '../../src/email/records.ts'
import type { ProducedRecord } from '../../src/runtime/ports.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import type { BenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'

export interface LoadOptions {
  readonly records: number
  /** Of every hundred records, how many repeat an earlier one. */
  readonly duplicatePercent: number
  readonly textBytes: number
  readonly priority?: EmailRequested['priority']
}

const line = 'Your order has been shipped and will arrive within the next three working days.\r\n'

/** Writes requests to `email.requested`, the k-th the same in every run but for its time; returns how many are different. */
export async function loadRequests(world: BenchWorld, options: LoadOptions): Promise<number> {
  const { records, duplicatePercent, textBytes, priority = 'NORMAL' } = options
  const text = line.repeat(Math.ceil(textBytes / line.length)).slice(0, textBytes)
  await using producer = world.cluster.createProducer({
    transactionalId: `bench-load-${process.pid}`,
    transactionTimeoutMs: 60_000,
  })
  await producer.init()
  let different = 0
  for (let begin = 0; begin < records; begin += 10_000) {
    const batch: ProducedRecord[] = []
    for (let index = begin; index < Math.min(begin + 10_000, records); index += 1) {
      const repeats = index > 0 && index % 100 < duplicatePercent
      const number = repeats ? Math.floor(index / 2) : index
      if (!repeats) different += 1
      batch.push(requestRecord(world, number, text, priority))
    }
    await producer.send(batch)
    await producer.commit()
  }
  return different
}

/** The repeat of a repeat is the first's: half of an index that repeats is looked up again. */
export function requestRecord(
  world: BenchWorld,
  number: number,
  text: string,
  priority: EmailRequested['priority'] = 'NORMAL',
): ProducedRecord {
  const request: EmailRequested = {
    requestId: requestIdOf(number),
    source: 'bench',
    to: [`user${number}@example.com`],
    cc: [],
    bcc: [],
    from: null,
    replyTo: null,
    subject: `Order ${number} has shipped`,
    text,
    html: null,
    headers: {},
    attachments: [],
    unsubscribe: null,
    priority,
    notBefore: null,
    expiresAt: null,
    inDoubt: 'DEFAULT',
    callback: null,
    requestedAt: Date.now(),
  }
  const key = Buffer.from(request.requestId)
  return {
    topic: 'email.requested',
    partition: partitionForKey(key, partitions),
    key,
    value: world.serdes.requested.serialize(request),
    headers: [],
    timestampMs: Date.now(),
  }
}

/** A UUID, the same in every run. Ids that come in their order are kind to a store: they are at its end, and its files do not overlap. */
function requestIdOf(number: number): string {
  const digits = createHash('md5').update(String(number)).digest('hex')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
