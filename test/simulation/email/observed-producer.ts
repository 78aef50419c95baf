import type { Delivery } from '../../../src/effects/delivery.ts'
import { deliverySerde } from '../../../src/effects/outbox.ts'
import type {
  GatheredRecords,
  GroupGeneration,
  OffsetToCommit,
  ProducedRange,
  ProducedRecord,
  TransactionalProducer,
} from '../../../src/runtime/ports.ts'
import { RecordList } from '../../../src/runtime/record-list.ts'

/** Passes every call on, and tells of the attempts whose transaction 1 begins. */
export class ObservedProducer implements TransactionalProducer {
  readonly #inner: TransactionalProducer
  readonly #outboxChangelog: string
  readonly #onAttempt: (delivery: Delivery) => void

  constructor(
    inner: TransactionalProducer,
    outboxChangelog: string,
    onAttempt: (delivery: Delivery) => void,
  ) {
    this.#inner = inner
    this.#outboxChangelog = outboxChangelog
    this.#onAttempt = onAttempt
  }

  init(): Promise<void> {
    return this.#inner.init()
  }

  send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    for (const { topic, value } of records) {
      if (topic !== this.#outboxChangelog || value === null) continue
      const delivery = deliverySerde.deserialize(value)
      if (delivery.state.kind === 'attempting') this.#onAttempt(delivery)
    }
    return this.#inner.send(records)
  }

  gather(): GatheredRecords {
    return new RecordList()
  }

  sendGathered(gathered: GatheredRecords): Promise<readonly ProducedRange[]> {
    return this.send((gathered as RecordList).records)
  }

  addOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void> {
    return this.#inner.addOffsets(offsets, generation)
  }

  commit(): Promise<void> {
    return this.#inner.commit()
  }

  abort(): Promise<void> {
    return this.#inner.abort()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
