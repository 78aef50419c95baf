import type {
  GatheredRecords,
  GroupGeneration,
  OffsetToCommit,
  ProducedRange,
  ProducedRecord,
  TransactionalProducer,
} from '../../src/runtime/ports.ts'
import { partitionKey } from '../../src/runtime/ports.ts'
import { RecordList } from '../../src/runtime/record-list.ts'

type Step = 'init' | 'send' | 'addOffsets' | 'commit' | 'abort' | 'close'

/** Writes down the order of its calls; one of them can be made to fail, or to wait. */
export class RecordingProducer implements TransactionalProducer {
  readonly calls: string[] = []
  readonly sent: ProducedRecord[] = []
  readonly offsets: OffsetToCommit[] = []
  failAt: { readonly step: Step; readonly error: Error } | undefined
  /** `commit` returns when this has resolved. */
  held: Promise<void> | undefined
  readonly #ends = new Map<string, number>()

  init(): Promise<void> {
    return this.#step('init')
  }

  async send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    await this.#step('send')
    this.sent.push(...records)
    return [...Map.groupBy(records, partitionKey)].map(([key, [first, ...more]]) => {
      const firstOffset = this.#ends.get(key) ?? 0
      const lastOffset = firstOffset + more.length
      this.#ends.set(key, lastOffset + 1)
      return { topic: first!.topic, partition: first!.partition, firstOffset, lastOffset }
    })
  }

  gather(): GatheredRecords {
    return new RecordList()
  }

  sendGathered(gathered: GatheredRecords): Promise<readonly ProducedRange[]> {
    return this.send((gathered as RecordList).records)
  }

  async addOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void> {
    await this.#step('addOffsets', ` of generation ${generation.generationId}`)
    this.offsets.push(...offsets)
  }

  async commit(): Promise<void> {
    await this.#step('commit')
    await this.held
  }

  abort(): Promise<void> {
    return this.#step('abort')
  }

  close(): Promise<void> {
    return this.#step('close')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #step(step: Step, detail = ''): Promise<void> {
    this.calls.push(step + detail)
    if (this.failAt?.step === step) throw this.failAt.error
  }
}
