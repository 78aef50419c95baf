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

/** Passes every call on, and tells of the deliveries that are written: those at an attempt have their transaction 1 begin. */
export class ObservedProducer implements TransactionalProducer {
  readonly #inner: TransactionalProducer
  readonly #outboxChangelog: string
  readonly #onDelivery: (delivery: Delivery) => void

  constructor(
    inner: TransactionalProducer,
    outboxChangelog: string,
    onDelivery: (delivery: Delivery) => void,
  ) {
    this.#inner = inner
    this.#outboxChangelog = outboxChangelog
    this.#onDelivery = onDelivery
  }

  init(): Promise<void> {
    return this.#inner.init()
  }

  send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    for (const { topic, value } of records) {
      if (topic !== this.#outboxChangelog || value === null) continue
      this.#onDelivery(deliverySerde.deserialize(value))
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
