import { type ClusterAdmin, partitionKey, type TopicPartition } from '../../src/runtime/ports.ts'
import type { Processor, StreamRecord } from '../../src/topology/topology.ts'
import type { Figures } from './scenario.ts'

interface Mark {
  readonly ms: number
  readonly cpuMicros: number
}

/** Time and processor time of this process at the first record, at half of them, and when all are through: as the peer counts them. */
export class Progress {
  readonly all: Promise<void>
  readonly #records: number
  #seen = 0
  #first: Mark | undefined
  #half: Mark | undefined
  #end: () => void = () => undefined

  constructor(records: number) {
    this.#records = records
    this.all = new Promise(resolve => (this.#end = resolve))
  }

  /** One record more is through. */
  readonly count = (): void => {
    this.#seen += 1
    if (this.#seen === 1) this.#first = mark()
    if (this.#seen === this.#records >> 1) this.#half = mark()
    if (this.#seen === this.#records) this.#end()
  }

  /** So many are through, of all threads. */
  reach(seen: number): void {
    if (seen > 0) this.#first ??= mark()
    if (seen >= this.#records >> 1) this.#half ??= mark()
    if (seen >= this.#records) this.#end()
  }

  /** Up to now. */
  figures(): Figures {
    const records = this.#records
    const secondHalf = records - (records >> 1)
    const [first, half, end] = [this.#first!, this.#half!, mark()]
    return {
      records,
      recordsPerSecond: (records / (end.ms - first.ms)) * 1000,
      recordsPerSecondSecondHalf: (secondHalf / (end.ms - half.ms)) * 1000,
      cpuMicrosPerRecord: (end.cpuMicros - first.cpuMicros) / records,
      cpuMicrosPerRecordSecondHalf: (end.cpuMicros - half.cpuMicros) / secondHalf,
      maxRssMb: process.resourceUsage().maxRSS / 1024,
    }
  }
}

/** The processor, with every record of it counted. */
export function counted<In extends StreamRecord, Out extends StreamRecord>(
  inner: Processor<In, Out>,
  count: () => void,
): Processor<In, Out> {
  return {
    process: (record, context) => {
      inner.process(record, context)
      count()
    },
  }
}

/** Until the offsets of everything are committed, with the transactions that wrote the output. */
export async function untilCommitted(
  admin: ClusterAdmin,
  applicationId: string,
  at: readonly TopicPartition[],
): Promise<void> {
  const ends = await admin.endOffsets(at)
  for (;;) {
    const offsets = await admin.committedOffsets(applicationId, at)
    // A transaction's marker may be the last in the log.
    if (
      at.every(
        each => (offsets.get(partitionKey(each))?.offset ?? 0) >= ends.get(partitionKey(each))! - 1,
      )
    )
      return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

function mark(): Mark {
  const { user, system } = process.cpuUsage()
  return { ms: performance.now(), cpuMicros: user + system }
}
