import { type CommittedRecordsFetcher, type ConsumedRecord } from '../../src/runtime/ports.ts'
import type { BenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'

/** Sees what arrives in a topic, committed: by partition, how long nothing came. */
export class Arrivals implements AsyncDisposable {
  readonly #fetcher: CommittedRecordsFetcher
  readonly #onRecord: (record: ConsumedRecord) => void
  readonly #lastMs = new Map<number, number>()
  #longestMs = 0
  #isOver = false
  readonly #running: Promise<void>

  private constructor(
    fetcher: CommittedRecordsFetcher,
    onRecord: (record: ConsumedRecord) => void,
  ) {
    this.#fetcher = fetcher
    this.#onRecord = onRecord
    this.#running = this.#watch()
  }

  /** From the end of the topic on. */
  static async of(
    { cluster }: BenchWorld,
    topic: string,
    onRecord: (record: ConsumedRecord) => void = () => undefined,
  ): Promise<Arrivals> {
    const fetcher = cluster.createFetcher({
      maxWaitMs: 50,
      maxBytesPerPartition: 1024 * 1024,
      maxBytes: 8 * 1024 * 1024,
    })
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    const ends = await cluster.admin.endOffsets(all)
    for (const at of all) fetcher.assign(at, ends.get(`${at.topic}/${at.partition}`) ?? 0)
    return new Arrivals(fetcher, onRecord)
  }

  /** Longest time for which a partition had nothing since the last call, milliseconds; one that still waits counts. */
  takeLongestMs(): number {
    const nowMs = performance.now()
    const waits = [...this.#lastMs.values()].map(lastMs => nowMs - lastMs)
    const longest = Math.max(this.#longestMs, ...waits)
    this.#longestMs = 0
    return longest
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const nowMs = performance.now()
      for (const { partition, records } of this.#fetcher.poll()) {
        if (records.length === 0) continue
        const waitedMs = nowMs - (this.#lastMs.get(partition) ?? nowMs)
        this.#longestMs = Math.max(this.#longestMs, waitedMs)
        this.#lastMs.set(partition, nowMs)
        for (const record of records) this.#onRecord(record)
      }
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#running
    await this.#fetcher.close()
  }
}
